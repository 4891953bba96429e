"""The plan of the house as a picture: its rooms floor by floor, and who imports whom.

Each row is a room: its name, and what it says of itself. A dot stands where it imports the room of
that column. Rooms stand on their floors, so imports that run one way are dots on one side of the
diagonal.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

from .imports import ROOT, files, floors, graph, room

ROW, TOP, CELL, LEFT = 26, 112, 26, 590
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .name { font: 600 13px ui-monospace, monospace; }
  .faint { fill: #59636e; }
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
    first = text.partition("\n")[0].rstrip(".").replace("`", "")
    shown = first[:66]
    return first if first == shown else shown.rpartition(", ")[0] or shown.rpartition(" ")[0]


def pairs(root: Path = ROOT) -> set[tuple[str, str]]:
    """The pairs of rooms of which the first imports the second."""
    found = graph(root)
    return {(room(name), room(to)) for name, targets in found.items() for to in targets}


def drawn(root: Path = ROOT) -> str:
    """The picture as the text of an SVG file."""
    known, imported, paths = {room(name) for name in files(root)}, pairs(root), files(root)
    levels = floors(root)
    rooms = [name for level in levels for name in level if name in known - {"__main__"}]
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
        parts += _row(at, name, rooms, imported, _says(paths[f"tinygrad_mnist.{name}"]))

    for at in range(1, len(rooms)):
        if not any({rooms[at - 1], rooms[at]} <= set(level) for level in levels):
            y = TOP + ROW * at
            parts.append(f'<line class="floor" x1="8" x2="{width - 12}" y1="{y}" y2="{y}"/>')
    return "\n".join([*parts, "</svg>", ""])


def _row(
    at: int, name: str, rooms: list[str], imported: set[tuple[str, str]], says: str
) -> list[str]:
    middle = TOP + ROW * at + ROW / 2
    parts = [
        f'<text class="name" x="12" y="{middle + 4}">{name}</text>',
        f'<text class="faint" x="120" y="{middle + 4}">{escape(says)}</text>',
    ]
    for column, other in enumerate(rooms):
        x = LEFT + CELL * column + CELL / 2
        if other == name:
            parts.append(f'<rect class="self" x="{x - 3}" y="{middle - 3}" width="6" height="6"/>')
        elif (name, other) in imported:
            parts.append(
                f'<circle class="dot" cx="{x}" cy="{middle}" r="5">'
                f"<title>{name} imports {other}</title></circle>"
            )
    return parts
