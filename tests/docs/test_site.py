"""The site has every page, link and public name; what MkDocs checks itself is left to it."""

from __future__ import annotations

import os
import re

import pytest

from tests.docs.pages import DOCS, ROOT
from tinygrad_mnist import names
from website import docstrings, pages, reference, sources

STAGED = {pages.uri(page): pages.staged(page) for page in pages.PAGES}
MADE = sources.shown(pages.outside()) | reference.pages()


def targets(uri, text):
    """The pages of the site that a staged page links to."""
    here = os.path.dirname(uri)
    links = (match["target"] for match in pages.LINK.finditer(text))
    found = (os.path.normpath(os.path.join(here, link)) for link in links)
    return {target for target in found if not target.startswith("images/")}


def test_links_lead_to_pages_of_the_site():
    there = STAGED.keys() | MADE.keys()
    for uri, text in STAGED.items():
        assert targets(uri, text) <= there, uri
    pictures = {
        target for text in STAGED.values() for target in re.findall(r"images/[\w.-]+", text)
    }
    assert all((DOCS / picture).exists() for picture in pictures)


def test_a_folder_shows_its_files():
    text = MADE["source/reference/ladder/index.md"]
    assert "[rung10_cnn.py](rung10_cnn.md)" in text
    program = (ROOT / "reference" / "ladder" / "rung10_cnn.py").read_text(encoding="utf-8")
    assert program in MADE["source/reference/ladder/rung10_cnn.md"]


def test_a_link_to_nothing_is_refused():
    with pytest.raises(FileNotFoundError):
        pages.linked(DOCS / "index.md", "no-such-page.md")


def test_the_reference_lists_every_public_name():
    listed = {name.rpartition(".")[2] for page in reference.subjects() for name in page.names}
    aliases = {name for name, place in names.NAMES.items() if not place.endswith(f":{name}")}
    assert names.NAMES.keys() - listed == aliases


def test_the_navigation_shows_every_page_of_the_reference():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"api/[\w-]+\.md", text)) == reference.pages().keys()


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
