"""The built site: `make docs` comes before the tests in CI."""

from __future__ import annotations

import os

import pytest

from tests.browser.conftest import ROOT

SITE = ROOT / "site"
DESK, PHONE = ("light", 1280), ("dark", 360)
pytestmark = pytest.mark.skipif(
    not (SITE / "index.html").exists() and not os.environ.get("CI"),
    reason="the site is not built: make docs",
)


def shown(page, name, scheme="light", width=1280):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto((SITE / name).as_uri())
    return page


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        ("index.html", *DESK),
        ("index.html", *PHONE),
        ("how-autograd-works.html", *DESK),
        ("how-autograd-works.html", *PHONE),
        ("tutorial/10-cnn.html", *PHONE),
        ("ko/tutorial/10-cnn.html", *DESK),
        ("api/autograd.html", *DESK),
        ("operations.html", *PHONE),
    ],
)
def test_axe_finds_nothing(page, axe, name, scheme, width):
    shown(page, name, scheme, width)
    page.evaluate(axe)
    found = page.evaluate("axe.run({iframes: false, preload: false})")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
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
