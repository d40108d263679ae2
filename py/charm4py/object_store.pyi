from typing import Any, List, Sequence

from ._c4 import Future

class ObjectStore:
    def __init__(self) -> None: ...
    def value(self, future: Future[Any]) -> Any: ...
    def values_of(self, futures: Sequence[Future[Any]]) -> List[Any]: ...

store: ObjectStore
