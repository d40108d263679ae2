"""Names of versions before 1.0, which still work, with a DeprecationWarning."""

import warnings
from typing import Any

from .charm import charm
from .chare import Mainchare

_NAMES = {
    "CkMyPe": ("charm.myPe", charm.myPe),
    "CkNumPes": ("charm.numPes", charm.numPes),
    "CkExit": ("charm.exit", charm.exit),
    "CkAbort": ("charm.abort", charm.abort),
    "Mainchare": ("Chare, and charm.start(X)", Mainchare),
}


def lookup(name: str) -> Any:
    """What charm4py.<name> is, for names that it does not have any more."""
    if name not in _NAMES:
        raise AttributeError(f"module 'charm4py' has no attribute '{name}'")
    now, value = _NAMES[name]
    warnings.warn(f"charm4py.{name} is deprecated: use {now}", DeprecationWarning, stacklevel=3)
    return value
