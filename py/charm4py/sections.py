"""Sections: collections of some elements of others.

The elements themselves say which sections they belong to, where they live;
their answers come to the PE that makes the sections, which then has the lists
of members.  Of groups it knows the members without asking.
"""

import operator
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _c4
from ._errors import Charm4PyError

Index = Union[int, Tuple[int, ...]]
Member = Tuple[int, int]  # collection and key
Found = Tuple[Member, List[int]]


# ---- What elements are asked --------------------------------------------------------

class _All:
    def __call__(self, element: Any) -> List[int]:
        return [0]


class _ByFunction:
    """The user's function says it: a number, negative for none, or several."""

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func

    def __call__(self, element: Any) -> List[int]:
        said = self.func(element)
        if hasattr(said, "__iter__"):
            return [operator.index(n) for n in said]
        number = operator.index(said)
        return [number] if number >= 0 else []


class _ByIndex:
    def __init__(self, sections: Dict[Index, List[int]]) -> None:
        self.sections = sections

    def __call__(self, element: Any) -> List[int]:
        return self.sections.get(element.thisIndex, [])


class _BySlice:
    def __init__(self, ranges: List[range]) -> None:
        self.ranges = ranges

    def __call__(self, element: Any) -> List[int]:
        at = element.thisIndex
        index = at if isinstance(at, tuple) else (at,)
        inside = len(index) == len(self.ranges) and all(
            i in r for i, r in zip(index, self.ranges))
        return [0] if inside else []


# ---- Asking ---------------------------------------------------------------------------

def _is_group(proxy: Any) -> bool:
    return hasattr(proxy, "gid")


def _check(proxy: Any) -> None:
    whole = isinstance(proxy, _c4.Proxy) and (
        getattr(proxy, "elemIdx", None) == (-1 if _is_group(proxy) else ()))
    assert whole, f"sections are made of whole collections, not of {proxy!r}"


def _is_section(proxy: Any) -> bool:
    return bool(proxy.issec) and _c4.group_pes(proxy) is None


def _ask(proxy: Any, select: Any) -> Any:
    return proxy._getSectionLocations_(select, ret=True)


def _answers(proxy: Any, asked: Any) -> List[Found]:
    """Members and their sections, by index; those of a section in its order."""
    found = asked.get()
    for one in found:
        if isinstance(one, Exception):
            raise one
    if not _is_section(proxy):
        found.sort(key=operator.itemgetter(2))
    return [((coll, key), numbers) for coll, key, _, numbers in found]


def _make(proxy: Any, n: int, found: List[Found], wait: bool = True) -> List[Any]:
    members: List[List[Member]] = [[] for _ in range(n)]
    for member, numbers in found:
        for k in numbers:
            if not 0 <= k < n:
                raise Charm4PyError(f"an element of {type(proxy).__name__} is to be in section "
                                    f"{k}, but there are {n} sections")
            members[k].append(member)
    for k, some in enumerate(members):
        assert some, f"section {k} would have no elements"
    made = [_c4.section_new(proxy, some) for some in members]
    return _c4.section_await(made) if wait else made


# ---- By index ---------------------------------------------------------------------------

def _index(proxy: Any, index: Any) -> Index:
    if hasattr(index, "__index__"):
        number = operator.index(index)  # in sections, numbers are elements of groups
        return number if _is_group(proxy) or proxy.issec else (number,)
    return tuple(operator.index(i) for i in index)


def _is_flat(proxy: Any, elems: Sequence[Any]) -> bool:
    """Is it a list of indexes, not a list of one such list?"""
    if len(elems) != 1:
        return True
    first = elems[0]
    if hasattr(first, "__index__"):
        return True
    return (not _is_group(proxy) and isinstance(first, tuple) and len(first) > 0
            and hasattr(first[0], "__index__"))


def _by_index(proxy: Any, n: int, elems: Sequence[Any]) -> Dict[Index, List[int]]:
    if n == 1 and _is_flat(proxy, elems):
        elems = [elems]
    assert len(elems) == n, f"elems has the elements of {len(elems)} sections, not of {n}"
    sections: Dict[Index, List[int]] = {}
    for k, some in enumerate(elems):
        for index in some:
            sections.setdefault(_index(proxy, index), []).append(k)
    return sections


def _of_group(proxy: Any, pes: Sequence[int], sections: Dict[Any, List[int]]) -> List[Found]:
    for index in sections:
        if index not in pes:
            raise IndexError(f"{type(proxy).__name__} has no element {index!r}")
    return [((proxy.gid, pe), sections[pe]) for pe in sorted(sections)]


# ---- Slices -----------------------------------------------------------------------------

def _ranges(proxy: Any, key: Any) -> List[range]:
    slices = key if isinstance(key, tuple) else (key,)
    if _is_group(proxy):
        assert len(slices) == 1 and isinstance(slices[0], slice), "a group has one dimension"
        s = slices[0]
        start, stop, step = s.start, s.stop, s.step
        return [range(0 if start is None else start, _c4.npes() if stop is None else stop,
                      1 if step is None else step)]
    assert len(slices) == proxy.ndims and all(isinstance(s, slice) for s in slices), \
        "an array is sliced in every dimension"
    assert all(s.start is not None and s.stop is not None for s in slices), \
        "Must specify start and stop indexes for array slicing"
    return [range(s.start, s.stop, 1 if s.step is None else s.step) for s in slices]


def slice_of(proxy: Any, key: Any) -> Any:
    """proxy[key], where key is a slice or a tuple of them."""
    _check(proxy)
    ranges = _ranges(proxy, key)
    pes = _c4.group_pes(proxy)
    if pes is not None:
        return _make(proxy, 1, [((proxy.gid, pe), [0]) for pe in pes if pe in ranges[0]],
                     wait=False)[0]
    return _make(proxy, 1, _answers(proxy, _ask(proxy, _BySlice(ranges))))[0]


# ---- split and combine --------------------------------------------------------------------

def split(proxy: Any, numsections: int, section_func: Optional[Callable[[Any], Any]] = None,
          elems: Optional[Sequence[Any]] = None, slicing: Any = None,
          cons: Any = None) -> List[Any]:
    """The sections of the elements of proxy that section_func, elems or slicing tell."""
    _check(proxy)
    assert numsections > 0, "numsections must be positive"
    if cons is not None:
        raise NotImplementedError("split() does not construct elements: "
                                  "use Group(..., onPEs=[...])")
    if elems is not None:
        sections = _by_index(proxy, numsections, elems)
        pes = _c4.group_pes(proxy)
        if pes is not None:
            return _make(proxy, numsections, _of_group(proxy, pes, sections), wait=False)
        return _make(proxy, numsections, _answers(proxy, _ask(proxy, _ByIndex(sections))))
    if slicing is not None:
        assert numsections == 1, "slicing makes one section"
        return [slice_of(proxy, slicing)]
    assert callable(section_func), "split() needs section_func, elems or slicing"
    return _make(proxy, numsections, _answers(proxy, _ask(proxy, _ByFunction(section_func))))


def combine(*proxies: Any) -> Any:
    """One section of all elements of these collections, of any classes."""
    assert proxies, "combine() needs at least one proxy"
    for proxy in proxies:
        _check(proxy)
    if not _c4.can_suspend():
        _c4.check_suspend()
    asked = [None if _c4.group_pes(proxy) is not None else _ask(proxy, _All())
             for proxy in proxies]
    members: List[Member] = []
    for proxy, answer in zip(proxies, asked):
        if answer is None:
            members += [(proxy.gid, pe) for pe in _c4.group_pes(proxy)]
        else:
            members += [member for member, _ in _answers(proxy, answer)]
    return _c4.section_await([_c4.section_new(proxies[0], members)])[0]
