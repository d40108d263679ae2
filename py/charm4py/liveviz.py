"""Pictures of a running job for a viewer elsewhere: out of scope of c4."""

from typing import Any

from ._errors import Charm4PyError


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise Charm4PyError(f"charm4py.liveviz.{name}: liveviz is out of scope of c4; gather what is "
                        "to be shown with a reduction, and write or serve it from PE 0")
