"""Futures, and the error of suspending where that is not possible."""

from . import _c4


class NotThreadedError(Exception):
    """Code that is not in a coroutine tried to suspend, or to make a Future: see coro."""

    def __init__(self, msg: str = "") -> None:
        super().__init__(msg)
        self.message = msg


Future = _c4.Future
