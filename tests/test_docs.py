"""The examples in the documentation's pages print what stands under them."""

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples(page):
    text = page.read_text(encoding="utf-8")
    examples = "\n".join("" if line.startswith("```") else line for line in text.splitlines())
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    failures, tried = doctest.DocTestRunner(verbose=False).run(test)
    assert failures == 0
    assert tried == text.count("\n>>> ")
