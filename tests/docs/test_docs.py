"""The documentation's pages: their examples print what stands under them, their links lead on.

The tutorial's examples have tests of their own.
"""

import doctest
import re
from itertools import pairwise
from pathlib import Path

import pytest

from checks.picture import drawn

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page):
    text = page.read_text(encoding="utf-8")
    examples = "\n".join("" if line.startswith("```") else line for line in text.splitlines())
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    failures, tried = doctest.DocTestRunner(verbose=False).run(test)
    assert failures == 0
    assert tried == text.count("\n>>> ")


INDEXES = [ROOT / "docs" / "index.md", ROOT / "docs" / "ko" / "index.md"]
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def links(page):
    """The files that a page links to, in order."""
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    return [(page.parent / target).resolve() for target in targets if "://" not in target]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    assert [target for target in links(page) if not target.exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "ko").glob("*.md")), ids=lambda p: p.name)
def test_a_korean_page_has_the_code_of_its_twin(page):
    fenced = re.compile(r"^```.*?^```$|<!-- explained: [\w-]+", re.MULTILINE | re.DOTALL)
    twin = (ROOT / "docs" / page.name).read_text(encoding="utf-8")
    assert fenced.findall(page.read_text(encoding="utf-8")) == fenced.findall(twin)


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: str(index.relative_to(ROOT)))
def test_index_lists_the_tutorial_in_order(index):
    pages = sorted((index.parent / "tutorial").glob("*.md"))
    assert [page for page in links(index) if page.parent.name == "tutorial"] == pages
    for page, next_page in pairwise(pages):
        assert links(page)[-1] == next_page


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: str(index.relative_to(ROOT)))
def test_index_lists_every_page(index):
    there = set(links(index))
    twins = {page: index.parent / page.name for page in PAGES}
    left = [page for page in PAGES if not there & {page, twins[page]} and page not in INDEXES]
    assert left == []
    assert {*INDEXES} - {index} <= there


def test_architecture_lists_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    rooms = [name for name in named if not name.startswith("reference/")]
    package = ROOT / "tinygrad_mnist"
    there = {path.name for path in package.glob("[!_]*.py")}
    there |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert sorted(rooms) == sorted(there)


def test_the_picture_of_the_rooms_is_drawn_from_the_imports():
    assert (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8") == drawn()
