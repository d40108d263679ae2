"""Marks on entry methods: ``@coro`` and ``@when``."""

from typing import Any, Callable, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def coro(func: F) -> F:
    """Decorator of methods that may suspend (Future.get(), Channel.recv(), self.wait() ...).

    Called through a proxy they run as coroutines: while one waits, others run.  main always
    is one.  It returns func itself; called directly, it is a plain function.
    ``threaded`` is the same.
    """
    func._c4_coro = True  # type: ignore[attr-defined]
    return func


threaded = coro


def coro_ext(event_notify: bool = False) -> Callable[[F], F]:
    """@coro_ext() is the same as @coro; event_notify is for the runtime's own use."""

    def mark(func: F) -> F:
        func._c4_notify = event_notify  # type: ignore[attr-defined]
        return coro(func)

    return mark


def when(condition: str) -> Callable[[F], F]:
    """Decorator: messages for the method are held back until an expression is true.

    It may use self, the method's parameters and the globals of the module, as in
    @when('self.step == step').  It is tested when a message comes and after each method of the
    chare that ran.  Messages for which it holds are delivered in the order in which they came.
    Direct calls are not held back.
    """

    def mark(func: F) -> F:
        func._c4_when = condition  # type: ignore[attr-defined]
        return func

    return mark
