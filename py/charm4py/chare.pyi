from typing import Any, Optional, Sequence, Tuple, Type, Union

from ._c4 import ChareBase, Proxy

SINGLE: int
GROUP: int
ARRAY: int
MAIN: int
MAINCHARE: int

class Chare(ChareBase):
    def __new__(cls, chare_type: Type[Chare], args: Sequence[Any] = [],
                onPE: int = -1) -> Proxy: ...
    def wait(self, cond_str: str) -> None: ...

class ArrayMap(Chare):
    def procNum(self, index: Tuple[int, ...]) -> int: ...

class Group:
    def __new__(cls, chare_type: Type[Chare], args: Sequence[Any] = [],
                onPEs: Optional[Sequence[int]] = None) -> Proxy: ...

class Array:
    def __new__(cls, chare_type: Type[Chare], dims: Union[None, int, Sequence[int]] = None,
                ndims: int = -1, args: Sequence[Any] = [], map: Optional[Proxy] = None,
                useAtSync: bool = False) -> Proxy: ...
