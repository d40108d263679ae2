import code
from typing import Sequence

from .chare import Chare

class InteractiveConsole(Chare, code.InteractiveInterpreter):  # type: ignore[misc]
    def __init__(self, args: Sequence[str]) -> None: ...
