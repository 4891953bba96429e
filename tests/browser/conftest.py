"""A headless browser for the pages: one for all tests, a page for each file's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = bool(os.environ.get("CI"))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, driven by Playwright."""
    if BROWSER is None:
        assert not REQUIRED, "CI must have chromium"
        pytest.skip("there is no chromium: install it, for example with apt")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which finds what shuts people out of a page."""
    if not AXE.exists():
        assert not REQUIRED, "CI must have axe-core"
        pytest.skip("there is no axe-core: `make web` installs it")
    return AXE.read_text(encoding="utf-8")


DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def tab(browser) -> Iterator:
    """The page that all tests of a file look at, as a desk has it, and what it says."""
    with quiet_page(browser) as found:
        yield found


@pytest.fixture
def page(tab):
    page, said = tab
    said.clear()
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    yield page
    assert said == []


@pytest.fixture
def lone_page(browser):
    """A page with a clock and a memory of its own."""
    with quiet_page(browser) as (page, said):
        yield page
        assert said == []


@contextmanager
def quiet_page(browser) -> Iterator:
    """A page that may say nothing on the console, and fetch nothing; and a list of what it did."""
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request",
        lambda request: (
            said.append(f"fetched {request.url}")
            if not request.url.startswith(("file:", "data:", "about:", "blob:"))
            else None
        ),
    )
    yield page, said
    context.close()


def violations(page, axe, *, without: tuple[str, ...] = ()) -> list[tuple[str, list[str]]]:
    """What axe finds wrong on a page, `without` some of its parts."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate(
        """without => axe.run({include: [['html']], exclude: without.map((each) => [each])},
            {resultTypes: ['violations'], iframes: false, preload: false})""",
        list(without),
    )
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
