"""Stages the pages of the site in build/docs."""

from __future__ import annotations

import shutil

from . import explained, operations, pages, reference, sources

STAGE = pages.ROOT / "build" / "docs"
WORKER = pages.ROOT / "web" / "node_modules" / "iframe-worker"
"""By which the theme's search works in a site that is opened from disk."""


def main() -> None:
    """Writes all pages anew."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    explained.write(explained.asked(), STAGE / "explained", STAGE.parent)
    for page in pages.PAGES:
        write(pages.uri(page), explained.shown(page, pages.staged(page)))
    for page, text in sources.shown(pages.outside()).items():
        write(page, text)
    for page, text in (reference.pages() | operations.pages()).items():
        write(page, text)
    shutil.copytree(pages.DOCS / "images", STAGE / "images")
    (STAGE / "javascripts").mkdir()
    shutil.copy(WORKER / "LICENSE", STAGE / "javascripts" / "iframe-worker.LICENSE.txt")
    shutil.copy(WORKER / "shim" / "index.js", STAGE / "javascripts" / "iframe-worker.js")


def write(uri: str, text: str) -> None:
    """Writes one page below the stage."""
    path = STAGE / uri
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
