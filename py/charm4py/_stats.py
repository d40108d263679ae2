"""The tables of ``charm.printStats()``."""

from typing import Any, Dict, List, Optional, Tuple

from . import _c4, reduction

Row = Tuple[str, ...]
_LINE = "-" * 59
_SHOW_INTERNAL_S = 0.001  # classes of the runtime below this are left out


def _cell(value: float) -> str:
    return str(round(value, 3))


def _times(name: str, em: float, send: float, recv: float) -> Row:
    return (name, _cell(em), _cell(send), _cell(recv), _cell(em + send + recv))


def _by_class(rows: List[Any]) -> Dict[Tuple[type, str], Dict[str, Tuple[float, ...]]]:
    classes: Dict[Tuple[type, str], Dict[str, Tuple[float, ...]]] = {}
    for cls, kind, method, _, *times in rows:
        if cls is not None:
            classes.setdefault((cls, kind), {})[method] = tuple(times)
    return classes


def _is_shown(cls: type, methods: Dict[str, Tuple[float, ...]]) -> bool:
    if cls.__module__.startswith("charm4py"):
        return sum(sum(times) for times in methods.values()) >= _SHOW_INTERNAL_S
    return True


def _order(cls: type, kind: str) -> List[str]:
    """Names in the order of the table: constructor first, then by name."""
    names = sorted({"_channelConnect__", *_c4.methods(cls)})
    if kind == "Array":
        return ["__init__", "migrated", "AtSync", *names]
    arrays_only = ("ckDestroy", "migrate", "setMigratable")
    return ["__init__", *(n for n in names if n not in arrays_only)]


def _body(rows: List[Any], main: str) -> Tuple[List[Any], List[float]]:
    """Rows (tuples) and separators (str), and the sum of the rows."""
    out: List[Any] = []
    total = [0.0, 0.0, 0.0]

    def add(name: str, times: Tuple[float, ...]) -> None:
        out.append(_times(name, *times))
        total[:] = [a + b for a, b in zip(total, times)]

    classes = _by_class(rows)
    for cls, kind in sorted(classes, key=lambda k: (k[0].__module__, k[0].__name__, k[1])):
        methods = classes[cls, kind]
        if _is_shown(cls, methods):
            out.append(f"------ {cls} as {kind} ------")
            for name in _order(cls, kind):
                add(name, methods.get(name, (0.0, 0.0, 0.0)))
    for _, kind, _, _, *times in [row for row in rows if row[0] is None]:
        if kind == "Task":
            out.append("------ charm.pool ------")
            add("tasks", tuple(times))
        else:
            out.append("------ <class 'charm4py.chare.DefaultMainchare'> as Mainchare ------")
            add(f"{main} (main function)", tuple(times))
    return out, total


def _messages(word: str, counts: Tuple[int, int, int, int]) -> List[str]:
    n, nbytes, least, most = counts
    mean = nbytes / n if n else 0.0
    return ["", f"Messages {word}: {n}",
            f"Message size in bytes (min / mean / max): {least} / {round(mean, 3)} / {most}",
            f"Total bytes = {round(nbytes / 1024 / 1024, 3)} MB"]


def _format(stats: Dict[str, Any], custom_s: float, title: str, main: str) -> str:
    body, total = _body(stats["rows"], main)
    table: List[Any] = [("", "em", "send", "recv", "total"), *body, _LINE, _times("", *total), _LINE]
    extra = (("reductions", max(0.0, stats["reductions"] - custom_s)),
             ("custom reductions", custom_s), ("migrating out", stats["migrating"]))
    for name, secs in extra:
        table.append((name, "", "", _cell(secs), _cell(secs)))
        total[2] += secs
    table += [_LINE, _times("", *total)]
    rows = [row for row in table if isinstance(row, tuple)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [title]
    for row in table:
        if isinstance(row, str):
            lines.append(row)
        else:
            cells = " | ".join(cell.ljust(width) for cell, width in zip(row, widths))
            lines.append(f"| {cells} |")
    lines += _messages("sent", stats["sent"]) + _messages("received", stats["received"])
    return "\n".join(lines) + "\n"


def table(main: str) -> str:
    """The table of this PE; main is the name of the main function."""
    stats = _c4.stats_rows(_c4.stats())
    return _format(stats, reduction.custom_s, f"Timings for PE {_c4.mype()} :", main)


def table_of_all(snapshots: List[Tuple[Optional[bytes], float]], main: str) -> str:
    """The sum over PEs, of what each said: its _c4.stats(), its time in custom reducers."""
    stats = _c4.stats_rows(_c4.stats_merge([s for s, _ in snapshots if s is not None]))
    custom_s = sum(s for _, s in snapshots)
    return _format(stats, custom_s, f"Timings for all {stats['npes']} PEs :", main)
