"""The built site: `make docs` comes before the tests in CI."""

from __future__ import annotations

import os

import pytest

from tests.browser.conftest import ROOT, violations

SITE = ROOT / "site"
DESK, PHONE = ("light", 1280), ("dark", 360)
pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists() and not os.environ.get("CI"),
    reason="the site is not built: make docs",
)


def shown(page, name, scheme="light", width=1280):
    page.goto((SITE / name).as_uri())
    return seen(page, scheme, width)


def seen(page, scheme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    return page


AROUND = (".md-header", ".md-sidebar--primary", ".md-footer")
"""What is the same around all pages: looked at around the first, and in Korean."""


WIDE_CODE_IS_REACHED = """() => [...document.querySelectorAll("pre > code")].every(
    (code) => code.scrollWidth <= code.clientWidth || code.hasAttribute("tabindex")
)"""
"""The page's script lets the keyboard reach code that scrolls, a moment after its width changed."""


@pytest.mark.parametrize(
    ("name", "views", "without"),
    [
        ("index.html", (DESK, PHONE), ()),
        ("how-autograd-works.html", (DESK, PHONE), AROUND),
        ("tutorial/10-cnn.html", (PHONE,), AROUND),
        ("ko/tutorial/10-cnn.html", (DESK,), ()),
        ("api/autograd.html", (DESK,), AROUND),
        ("operations.html", (PHONE,), AROUND),
    ],
)
def test_axe_finds_nothing(page, axe, name, views, without):
    shown(page, name)
    rows = page.locator("tbody tr:nth-child(n + 4)")
    rows.evaluate_all("rows => rows.forEach((each) => each.remove())")
    for scheme, width in views:
        seen(page, scheme, width)
        page.wait_for_function(WIDE_CODE_IS_REACHED)
        assert violations(page, axe, without=without) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("name", "word", "result"),
    [
        ("index.html", "momentum", "10-cnn.html"),
        ("ko/index.html", "모멘텀", "ko/tutorial/10-cnn.html"),
    ],
)
def test_search_needs_no_network(page, name, word, result):
    shown(page, name)
    page.get_by_role("textbox").fill(word)
    page.wait_for_selector(f'.md-search-result a[href*="{result}"]')


def test_pages_show_explained_passes(page):
    shown(page, "tutorial/04-linear.html")
    frame = page.frame_locator("figure iframe")
    assert frame.locator("h1").first.text_content() == "rung04_linear.py"


def test_frames_are_light_or_dark_as_the_page_around_them(lone_page):
    page = shown(lone_page, "tutorial/04-linear.html", "light")
    root = page.frame_locator("figure iframe").locator(":root")
    page.frame_locator("figure iframe").locator("h1").first.wait_for()
    for title, theme in ("Switch to light", "light"), ("Switch to dark", "dark"):
        page.locator(f"label[title='{title}']").click()
        root.and_(page.frame_locator("figure iframe").locator(f"[data-theme={theme}]")).wait_for()


def test_the_language_is_changed_on_the_same_page(page):
    shown(page, "tutorial/04-linear.html")
    page.locator(".md-header [aria-label='Select language']").hover()
    page.get_by_role("link", name="한국어").click()
    assert page.url == (SITE / "ko/tutorial/04-linear.html").as_uri()


def test_nothing_is_fetched_from_elsewhere():
    for path in SITE.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for tag in ("<script src=", "<img src=", "<iframe src=", '<link rel="stylesheet" href='):
            assert f'{tag}"http' not in text, path
            assert f'{tag}"//' not in text, path
