from typing import Any, Callable, List, Optional, Tuple

ReducerFunc = Callable[[List[Any]], Any]

class ReducerContainer:
    nop: Tuple[str, int]
    sum: Tuple[str, int]
    product: Tuple[str, int]
    max: Tuple[str, int]
    min: Tuple[str, int]
    logical_and: Tuple[str, int]
    logical_or: Tuple[str, int]
    logical_xor: Tuple[str, int]
    gather: Tuple[str, int]
    def addReducer(self, func: ReducerFunc, pre: Optional[Callable[[Any, Any], Any]] = None,
                   post: Optional[Callable[[Any], Any]] = None) -> None: ...
    def __getattr__(self, name: str) -> ReducerFunc: ...  # what was added

Reducer: ReducerContainer
