"""``+checkLocal``: arguments of calls within a PE must not change before they are delivered.

Within a PE arguments go by reference.  Whoever changes one after the call changes what the
method will see, but only if the target happens to be on the same PE.  With the flag each
argument is looked at when it is sent and when it is delivered.
"""

import hashlib
import io
import os
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any, List, Optional, Tuple

from . import _c4
from ._errors import Charm4PyError

_PACKAGE = os.path.dirname(__file__) + os.sep
_UNCHANGING = (int, float, complex, str, bytes, bool, type(None))

Record = Tuple[List[Optional[bytes]], str]  # fingerprints, which call it was


class _Pickler(pickle.Pickler):
    """Chares, functions and modules count as themselves, whatever state they have."""

    def persistent_id(self, obj: Any) -> Optional[int]:
        if isinstance(obj, (_c4.ChareBase, FunctionType, ModuleType, type)):
            return id(obj)
        return None


def _fingerprint(arg: Any) -> Optional[bytes]:
    """Equal for equal states of arg; None if it does not change or cannot be looked into."""
    if type(arg) in _UNCHANGING:
        return None
    out = io.BytesIO()
    try:
        _Pickler(out, 5).dump(arg)
    except Exception:  # user code may run, and not all can be pickled
        return None
    return hashlib.blake2b(out.getbuffer(), digest_size=16).digest()


def _place() -> str:
    """The line of the program that is calling."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"


def sent(args: Tuple[Any, ...], class_name: str, method: str) -> Record:
    """What is to be remembered of a call."""
    return [_fingerprint(arg) for arg in args], f"{class_name}.{method} ({_place()})"


def delivered(args: Tuple[Any, ...], record: Record) -> None:
    """Raises Charm4PyError if an argument is not any more what was sent."""
    before, call = record
    for i, (arg, fingerprint) in enumerate(zip(args, before)):
        if fingerprint is not None and _fingerprint(arg) != fingerprint:
            raise Charm4PyError(
                f"+checkLocal: argument {i + 1} ({type(arg).__name__}) of the call of "
                f"{call} was changed after the call and before its "
                f"delivery on PE {_c4.mype()}; within a PE arguments go by reference: pass a copy")
