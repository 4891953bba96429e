"""The site has every page, link and public name; what MkDocs checks itself is left to it."""

from __future__ import annotations

import functools
import os
import re

import pytest

from tests.docs.pages import DOCS, ROOT
from tinygrad_mnist import names
from tinygrad_mnist.explainer import script
from website import docstrings, explained, operations, pages, reference, sources

STAGED = {pages.uri(page): pages.staged(page) for page in pages.PAGES}


@functools.cache
def made():
    """The pages that are made of the code."""
    return sources.shown(pages.outside()) | reference.pages() | operations.pages()


def targets(uri, text):
    """The pages of the site that a staged page links to."""
    here = os.path.dirname(uri)
    links = (match["target"] for match in pages.LINK.finditer(text))
    found = (os.path.normpath(os.path.join(here, link)) for link in links)
    return {target for target in found if not target.startswith("images/")}


def test_links_lead_to_pages_of_the_site():
    there = STAGED.keys() | made().keys()
    for uri, text in STAGED.items():
        assert targets(uri, text) <= there, uri
    pictures = {
        target for text in STAGED.values() for target in re.findall(r"images/[\w.-]+", text)
    }
    assert all((DOCS / picture).exists() for picture in pictures)


def test_a_folder_shows_its_files():
    text = made()["source/reference/ladder/index.md"]
    assert "[rung10_cnn.py](rung10_cnn.md)" in text
    program = (ROOT / "reference" / "ladder" / "rung10_cnn.py").read_text(encoding="utf-8")
    assert program in made()["source/reference/ladder/rung10_cnn.md"]


def test_each_rung_asks_for_its_own_pass_and_the_others_are_examples():
    asked = explained.asked()
    rungs = {name: found for name, found in asked.items() if name.startswith("rung-")}
    assert sorted(rungs) == [f"rung-{number:02}" for number in range(13)]
    for name, found in rungs.items():
        assert [page.name[:2] for page in found] == [name[-2:]] * 2
    assert asked.keys() - rungs.keys() <= script.examples().keys()


def test_frames_are_found_from_both_languages():
    text = "![A picture](images/a.png)\n\n<!-- explained: square: Two paths. -->\n"
    for page, source in (("", "explained/square.html"), ("ko", "../explained/square.html")):
        shown = explained.shown(DOCS / page / "index.md", text)
        assert f'<iframe src="{source}" title="Two paths."' in shown
        assert "](explained/square.html)" in shown
        assert "A picture" not in shown


def test_a_link_to_nothing_is_refused():
    with pytest.raises(FileNotFoundError):
        pages.linked(DOCS / "index.md", "no-such-page.md")


def test_the_reference_lists_every_public_name():
    listed = {name.rpartition(".")[2] for page in reference.subjects() for name in page.names}
    aliases = {name for name, place in names.NAMES.items() if not place.endswith(f":{name}")}
    aliases |= {
        name for name, place in names.NAMES.items() if place.startswith("_tensor.in_place:")
    }
    assert names.NAMES.keys() - listed == aliases


def test_the_navigation_shows_every_page_of_the_reference():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"api/[\w-]+\.md", text)) == reference.pages().keys()


def test_the_table_of_operations_shows_formulas():
    rows = re.findall(r"<tr><th scope=.row.><code>tanh</code>.*?</tr>", made()["operations.ko.md"])
    assert len(rows) == 1
    assert rows[0].count("<math") == 2


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("x * y, from [0, 1)", "x &#42; y, from &#91;0, 1)"),
        ("`x * y`: `a[0]`", "`x * y`: `a[0]`"),
        ("One:\n\n>>> 1 + 1\n2\n\nNo more.", "One:\n\n```pycon\n>>> 1 + 1\n2\n```\n\nNo more."),
    ],
)
def test_docstrings_are_literal(docstring, expected):
    assert docstrings.markdown(docstring) == expected
