"""The page docs/why.md: its programs print what stands under them, its table has every cause."""

import re

import pytest

import tinygrad_mnist as torch
from tests.docs.pages import DOCS, blocks, printed
from tinygrad_mnist.explainer.why.words import FIXES

PAGE = DOCS / "why.md"
INSIDE = {"perhaps"}
"""Keys of cuts that are told as another cause."""


@pytest.mark.parametrize("number", range(len(blocks(PAGE))))
def test_a_program_prints_what_is_shown(number, tmp_path, monkeypatch):
    block = blocks(PAGE)[number]
    program = tmp_path / "train.py"
    program.write_text(block.code, encoding="utf-8")
    run = f"import runpy; runpy.run_path({str(program)!r})"
    try:
        assert printed(run, {}) == block.output
    finally:
        torch.why.remember(False)


def test_the_table_has_every_cause():
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    keys = [key for row in rows for key in re.findall("`(.*?)`", row)]
    assert keys[0] == ".cause"
    assert sorted(keys[1:]) == sorted(FIXES.keys() - INSIDE)
