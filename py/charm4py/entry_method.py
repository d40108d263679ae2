"""Marks on entry methods: ``@coro`` and ``@when``."""

from typing import Any, Callable, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def coro(func: F) -> F:
    """The method may suspend: it runs as a coroutine.  Returns func itself."""
    func._c4_coro = True  # type: ignore[attr-defined]
    return func


threaded = coro


def coro_ext(event_notify: bool = False) -> Callable[[F], F]:
    """A decorator like ``@coro``; event_notify is for the runtime's own use."""

    def mark(func: F) -> F:
        func._c4_notify = event_notify  # type: ignore[attr-defined]
        return coro(func)

    return mark


def when(condition: str) -> Callable[[F], F]:
    """Messages for the method wait until condition holds (see charm4py.wait)."""

    def mark(func: F) -> F:
        func._c4_when = condition  # type: ignore[attr-defined]
        return func

    return mark
