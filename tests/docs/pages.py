"""The pages of the documentation: their blocks of code, and what these print."""

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ENGLISH = sorted((DOCS / "tutorial").glob("*.md"))

BLOCK = re.compile(
    r"^```(?P<language>python|sh)(?P<only> tinygrad_mnist)?\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
OUR_IMPORTS = re.compile(r"\b(from|import) tinygrad_mnist(?!\.datasets)\b( as torch)?")
FRACTION = re.compile(r"\d+\.\d+")


class Block(NamedTuple):
    """A block of code, and the output that a page shows under it ("" for none)."""

    language: str
    code: str
    output: str
    ours_only: bool


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order; every ```text block must stand under one of them."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match["language"], match["code"], match["output"] or "", bool(match["only"]))
        for match in BLOCK.finditer(text)
    ]
    assert sum(bool(block.output) for block in found) == text.count("```text\n")
    assert len(found) * 2 + text.count("```text\n") * 2 == len(re.findall("^```", text, re.M))
    return found


def for_torch(code: str) -> str:
    """The same code with PyTorch's imports."""
    return OUR_IMPORTS.sub(r"\1 torch", code)


def printed(code: str, namespace: dict[str, object], flags: int = 0) -> str:
    """What the code prints; `flags` are those of `compile`."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "page", "exec", flags, dont_inherit=True), namespace)
    return output.getvalue()


def agrees(text: str, shown: str) -> bool:
    """Whether a text is the one shown; a fraction may differ by one in its last digit.

    Machines add up in different orders.
    """
    if FRACTION.sub("#", text) != FRACTION.sub("#", shown):
        return False
    pairs = zip(FRACTION.findall(text), FRACTION.findall(shown), strict=True)
    return all(
        abs(int(one.replace(".", "")) - int(other.replace(".", ""))) <= 1 for one, other in pairs
    )
