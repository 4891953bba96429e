"""How large the package is, room by room, and whether it keeps to its budget.

    python -m checks.size

Generated `.pyi` files do not count. Exits with 1 where a room, a file or a function is larger than
it may be, or the first level of the package has too many entries.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from .imports import PACKAGE, ROOT, files, room

TOTAL, AIM = 91_467, 40_000
"""Lines that the package may have, and those it ought to have."""
BUDGET = {
    "core": 300,
    "ops": 11_742,
    "tools": 16_751,
    "nn": 10_150,
    "compiler": 10_856,
    "app": 4_824,
    "explainer": 7_552,
    "kernels": 7_471,
    "_tensor": 3_386,
    "engine": 3_427,
    "optim": 2_569,
    "autograd": 2_631,
    "distributions": 2025,
    "serialization": 2_213,
    "utils": 2_802,
    "hardware": 728,
    "names": 410,
    "dtypes": 343,
    "func": 770,
    "testing": 428,
}
"""Lines that a room may have."""
ENTRIES, FILE, FUNCTION = 26, 800, 50
"""At most: entries at the first level, lines of a file, lines of a function."""


def lines(path: Path) -> int:
    """The lines of a file."""
    return path.read_text(encoding="utf-8").count("\n")


def by_room(root: Path = ROOT) -> dict[str, tuple[int, int]]:
    """The lines and files of each room, the largest first."""
    found: dict[str, tuple[int, int]] = {}
    for name, path in files(root).items():
        key = room(name) or "__init__"
        have, count = found.get(key, (0, 0))
        found[key] = have + lines(path), count + 1
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def entries(root: Path = ROOT) -> list[str]:
    """What stands at the first level of the package."""
    return sorted(path.name for path in (root / PACKAGE).iterdir() if path.name != "__pycache__")


def long_functions(path: Path) -> Iterator[str]:
    """The functions of a file that are longer than a function may be."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION:
                yield f"{node.name}: {size} lines, at most {FUNCTION}"


def over(root: Path = ROOT) -> list[str]:
    """What is larger than it may be, a line each."""
    rooms = by_room(root)
    total = sum(size for size, _ in rooms.values())
    wrong = [f"the package: {total} lines, at most {TOTAL}"] if total > TOTAL else []
    for name, most in BUDGET.items():
        size = rooms.get(name, (0, 0))[0]
        if size > most:
            wrong.append(f"{name}: {size} lines, at most {most}")
    if len(entries(root)) > ENTRIES:
        wrong.append(f"the first level: {len(entries(root))} entries, at most {ENTRIES}")
    for path in files(root).values():
        told = path.relative_to(root)
        if lines(path) > FILE:
            wrong.append(f"{told}: {lines(path)} lines, at most {FILE}")
        wrong += [f"{told}: {each}" for each in long_functions(path)]
    return wrong


def main() -> None:
    """Print the table, then what is too large."""
    rooms = by_room()
    for name, (size, count) in rooms.items():
        print(f"{name:<14}{size:>7} lines{count:>5} files" + _of_budget(name))
    total, count = (sum(each) for each in zip(*rooms.values(), strict=True))
    print(f"{'':<14}{total:>7} lines{count:>5} files   of {TOTAL}, aim {AIM}")
    print(f"{'':<14}{len(entries()):>7} entries at the first level, of {ENTRIES}")
    wrong = over()
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


def _of_budget(name: str) -> str:
    return f"   of {BUDGET[name]}" if name in BUDGET else ""


if __name__ == "__main__":
    main()
