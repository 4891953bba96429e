"""What error texts quote, cut to a size: names and values that a file or a caller gave."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_QUOTED = 1_000
"""Characters of a value that an error text quotes."""
_MOST_LISTED = 100_000
"""Characters of a list of names."""
_MOST_PARTS = 100
_LETTERS, _BITS = 16, 64
"""Of a text and of an integer, as much as counts for a part."""
_TEXTS = str, bytes, bytearray
_CONTAINERS = tuple, list, dict, set, frozenset


def weigh(value: object, most: int) -> int:
    """How many parts a value has, those that it repeats counted each time; stops beyond `most`.

    What walks through a value, as `repr`, `hash` and `==` do, takes so many steps.

    >>> weigh([1, (2, 3)], most=100)
    5
    """
    waiting, weight = [value], 0
    while waiting and weight <= most:
        part = waiting.pop()
        weight += 1
        if isinstance(part, _TEXTS):
            weight += len(part) // _LETTERS
        elif isinstance(part, int):
            weight += part.bit_length() // _BITS
        elif isinstance(part, _CONTAINERS):
            if weight + len(part) > most:
                return most + 1
            waiting.extend(part)
            if isinstance(part, dict):
                waiting.extend(part.values())
    return weight


def cut(text: object, most: int = _MOST_QUOTED) -> str:
    """The text, or its beginning and how much was left out.

    >>> cut("a" * 12, most=10)
    'aaaaaaaaaa… (2 more characters)'
    """
    told = str(text)
    return told if len(told) <= most else f"{told[:most]}{_left_out(told, most)}"


def _left_out(text: str | bytes | bytearray, most: int) -> str:
    return f"… ({len(text) - most:,} more characters)"


def shown(value: object) -> str:
    """`repr` of a value, or what it is where that would be long.

    >>> shown((1, "a")), shown([0] * 1000)
    ("(1, 'a')", 'a list of 1,000 parts')
    """
    if isinstance(value, _TEXTS):
        rest = _left_out(value, _MOST_QUOTED) if len(value) > _MOST_QUOTED else ""
        return f"{value[:_MOST_QUOTED]!r}{rest}"
    if weigh(value, _MOST_PARTS) <= _MOST_PARTS:
        return cut(repr(value))
    if isinstance(value, int):
        return f"an integer of {value.bit_length():,} bits"
    return f"a {type(value).__name__} of {len(value):,} parts"  # type: ignore[arg-type]


def listed(parts: Iterable[str], separator: str = ", ", most: int = _MOST_LISTED) -> str:
    """The parts joined, or the first of them and how many were left out.

    >>> listed(["a", "b"])
    'a, b'
    """
    kept, room = [], most
    left_out = 0
    for part in parts:
        if room < 0:
            left_out += 1
            continue
        kept.append(cut(part, most))
        room -= len(part) + len(separator)
    if left_out:
        kept.append(f"… and {left_out:,} more")
    return separator.join(kept)


def quoted(names: Iterable[str]) -> str:
    """The names in double quotes, listed.

    >>> print(quoted(["weight", "bias"]))
    "weight", "bias"
    """
    return listed(f'"{name}"' for name in names)
