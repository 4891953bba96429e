"""The plan of the house as a picture: its rooms floor by floor, and who imports whom.

Each row is a room: its name, what it says of itself, its lines. A dot stands where it imports the
room of that column, the larger the more files do. Rooms stand on their floors, so imports that run
one way are dots on one side of the diagonal.
"""

from __future__ import annotations

import ast
from html import escape
from math import sqrt
from pathlib import Path

from .imports import ROOT, files, floors, graph, room
from .size import by_room

ROW, TOP, CELL, LEFT = 26, 112, 26, 640
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .name { font: 600 13px ui-monospace, monospace; }
  .faint { fill: #59636e; }
  .number { text-anchor: end; font-variant-numeric: tabular-nums; }
  .floor { stroke: #d1d9e0; }
  .self { fill: #d1d9e0; }
  .dot { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .faint { fill: #9198a1; }
    .floor { stroke: #3d444d; } .self { fill: #3d444d; } .dot { fill: #4493f8; }
  }
"""


def _says(path: Path) -> str:
    """What a room says of itself: the first sentence of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = text.partition("\n")[0].rstrip(".")
    return first if len(first) <= 66 else first[:64].rpartition(" ")[0] + " …"


def importers() -> dict[tuple[str, str], int]:
    """For each pair of rooms how many files of the first import the second."""
    counts: dict[tuple[str, str], int] = {}
    for name, targets in graph().items():
        for there in {room(each) for each in targets} - {room(name), ""}:
            counts[room(name), there] = counts.get((room(name), there), 0) + 1
    return counts


def drawn(root: Path = ROOT) -> str:
    """The picture as the text of an SVG file."""
    sizes, counts, paths = by_room(root), importers(), files(root)
    levels = floors(root)
    rooms = [name for level in levels for name in level if name in sizes and name != "__main__"]
    width, height = LEFT + CELL * len(rooms) + 20, TOP + ROW * len(rooms) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="The rooms of the package floor by floor, and which room imports which">',
        f"<style>{STYLE}</style>",
    ]
    for at, name in enumerate(rooms):
        x, y = LEFT + CELL * at + CELL / 2, TOP - 10
        parts.append(
            f'<text class="name" transform="translate({x + 4} {y}) rotate(-60)">{name}</text>'
        )
    for at, name in enumerate(rooms):
        parts += _row(
            at, name, rooms, sizes[name][0], counts, _says(paths[f"tinygrad_mnist.{name}"])
        )
    for at in range(1, len(rooms)):
        if not any({rooms[at - 1], rooms[at]} <= set(level) for level in levels):
            y = TOP + ROW * at
            parts.append(f'<line class="floor" x1="8" x2="{width - 12}" y1="{y}" y2="{y}"/>')
    return "\n".join([*parts, "</svg>", ""])


def _row(
    at: int, name: str, rooms: list[str], size: int, counts: dict[tuple[str, str], int], says: str
) -> list[str]:
    middle = TOP + ROW * at + ROW / 2
    parts = [
        f'<text class="name" x="12" y="{middle + 4}">{name}</text>',
        f'<text class="faint" x="120" y="{middle + 4}">{escape(says)}</text>',
        f'<text class="number" x="{LEFT - 12}" y="{middle + 4}">{size:,}</text>',
    ]
    for column, other in enumerate(rooms):
        x = LEFT + CELL * column + CELL / 2
        if other == name:
            parts.append(f'<rect class="self" x="{x - 3}" y="{middle - 3}" width="6" height="6"/>')
        count = counts.get((name, other), 0)
        if count:
            radius = min(2.5 + sqrt(count), 10)
            title = f"{name} imports {other}: {count} file{'s' * (count > 1)}"
            parts.append(
                f'<circle class="dot" cx="{x}" cy="{middle}" r="{radius:.1f}">'
                f"<title>{title}</title></circle>"
            )
    return parts
