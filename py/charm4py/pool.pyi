from typing import Any, Callable, Iterable, List, Optional, Tuple, TypeVar, overload

from typing_extensions import Literal

from ._c4 import Future

_A = TypeVar("_A")
_R = TypeVar("_R")

class Pool:
    def map(self, func: Callable[[_A], _R], iterable: Iterable[_A], chunksize: int = 1,
            ncores: int = -1, progress: bool = False) -> List[_R]: ...
    @overload
    def map_async(self, func: Callable[[_A], _R], iterable: Iterable[_A], chunksize: int = 1,
                  ncores: int = -1, multi_future: Literal[False] = False) -> Future[List[_R]]: ...
    @overload
    def map_async(self, func: Callable[[_A], _R], iterable: Iterable[_A], chunksize: int = 1,
                  ncores: int = -1, *, multi_future: Literal[True]) -> List[Future[_R]]: ...
    def submit(self, iterable: Iterable[Tuple[Callable[[Any], Any], Any]], chunksize: int = 1,
               ncores: int = -1) -> List[Any]: ...
    @overload
    def submit_async(self, iterable: Iterable[Tuple[Callable[[Any], Any], Any]],
                     chunksize: int = 1, ncores: int = -1,
                     multi_future: Literal[False] = False) -> Future[List[Any]]: ...
    @overload
    def submit_async(self, iterable: Iterable[Tuple[Callable[[Any], Any], Any]],
                     chunksize: int = 1, ncores: int = -1, *,
                     multi_future: Literal[True]) -> List[Future[Any]]: ...
    @overload
    def Task(self, func: Callable[..., _R], args: Iterable[Any] = (), *, ret: Literal[True, 1],
             awaitable: object = ...) -> Future[_R]: ...
    @overload
    def Task(self, func: Callable[..., _R], args: Iterable[Any] = (), *,
             awaitable: Literal[True, 1], ret: object = ...) -> Future[_R]: ...
    @overload
    def Task(self, func: Callable[..., Any], args: Iterable[Any] = (), ret: bool = False,
             awaitable: bool = False) -> Optional[Future[Any]]: ...

pool: Pool
