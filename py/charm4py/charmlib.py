"""How the runtime is reached; there is one way."""


class CharmLib:
    """Stands for the C library, for programs that print its name."""

    name = "cython"
