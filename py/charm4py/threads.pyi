from ._c4 import Future as Future

class NotThreadedError(Exception):
    message: str
    def __init__(self, msg: str = "") -> None: ...
