"""The page "How it works" builds `core/`, block by block, and ends with the files themselves."""

import __future__

import re
import sys
from types import ModuleType

import pytest

from tests.docs.pages import DOCS, ROOT, printed

CORE = ROOT / "tinygrad_mnist" / "core"
FILES = ("record.py", "primitive.py", "backward_pass.py")
BLOCK = re.compile(
    r"^```python(?: core/(?P<file>\w+\.py))?\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
PAGES = (DOCS / "how-it-works.md", DOCS / "ko" / "how-it-works.md")


def blocks(page):
    """The blocks of a page: the file each is a part of (None: an example), code, output."""
    text = page.read_text(encoding="utf-8")
    found = [
        (match["file"], match["code"], match["output"] or "") for match in BLOCK.finditer(text)
    ]
    assert len(found) + sum(bool(output) for *_, output in found) == text.count("\n```\n")
    return found


def test_the_page_builds_core_as_it_runs(monkeypatch):
    package = ModuleType("core")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "core", package)
    modules = {file: ModuleType(f"core.{file.removesuffix('.py')}") for file in FILES}
    for module in modules.values():
        module.__package__ = "core"
        monkeypatch.setitem(sys.modules, module.__name__, module)
    user = {}
    for file, code, output in blocks(PAGES[0]):
        namespace = user if file is None else vars(modules[file])
        flags = 0 if file is None else __future__.annotations.compiler_flag
        assert printed(code, namespace, flags) == output, code


@pytest.mark.parametrize("file", FILES)
def test_its_blocks_are_the_file(file):
    parts = [code for name, code, _ in blocks(PAGES[0]) if name == file]
    assert "\n\n".join(parts) == (CORE / file).read_text(encoding="utf-8")


def test_core_is_these_files():
    assert {path.name for path in CORE.glob("*.py")} == {"__init__.py", *FILES}


def test_the_korean_page_has_the_same_blocks():
    assert blocks(PAGES[1]) == blocks(PAGES[0])
