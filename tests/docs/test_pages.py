"""The tutorial's pages print what they show, on both engines; the Korean ones show the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ENGLISH, ROOT, agrees, blocks, for_torch, printed
from tests.reference.climbing import REWRITTEN

LADDER = ROOT / "reference" / "ladder"
RUN = "tinygrad-mnist run reference/ladder/"

CLIMB = """
import contextlib, io, json, runpy, sys

for path in json.loads(sys.argv[1]):
    sys.path[0] = path.rpartition("/")[0]
    sys.argv = [path]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        runpy.run_path(path, run_name="__main__")
    print(json.dumps(output.getvalue()))
"""


@pytest.mark.filterwarnings("ignore:Error detected in")
@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.stem)
def test_both_engines_print_what_the_page_shows(page):
    ours, theirs = {}, {}
    for block in blocks(page):
        if block.language != "python":
            continue
        text = printed(block.code, ours)
        assert agrees(text, block.output), block.code
        if not block.ours_only:
            assert printed(for_torch(block.code), theirs) == text, block.code


def test_there_is_a_page_for_each_rung_and_one_before():
    assert [page.stem[:2] for page in ENGLISH] == [f"{number:02}" for number in range(13)]
    commands = [blocks(page)[-1].code.rstrip() for page in ENGLISH[1:]]
    assert commands == [f"{RUN}{path.name}" for path in sorted(LADDER.glob("rung*.py"))]


def rung(program):
    """The name of the rung that a page's last block runs."""
    return Path(program.code.split()[-1]).stem


def test_the_programs_print_what_the_pages_show(mnist_directory, tmp_path):
    """Of rungs that compute the same, which show the same and are held equal elsewhere, one."""
    programs = [blocks(page)[-1] for page in ENGLISH[1:]]
    for names in REWRITTEN:
        assert len({each.output for each in programs if rung(each) in names}) == 1
    again = {name for names in REWRITTEN for name in names[1:]}
    programs = [each for each in programs if rung(each) not in again]
    script = tmp_path / "climb.py"
    script.write_text(CLIMB, encoding="utf-8")
    paths = [str(ROOT / program.code.split()[-1]) for program in programs]
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mnist", "run", script, json.dumps(paths)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TINYGRAD_MNIST_DATA": str(mnist_directory),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outputs = [json.loads(line) for line in done.stdout.splitlines()]
    for program, output in zip(programs, outputs, strict=True):
        assert agrees(output, program.output), program.code


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.stem)
def test_korean_page_has_the_same_code(page):
    assert blocks(DOCS / "ko" / "tutorial" / page.name) == blocks(page)


def test_code_for_torch_names_nothing_of_ours_but_the_digits():
    for page in ENGLISH:
        for block in blocks(page):
            if block.language == "python" and not block.ours_only:
                left = for_torch(block.code).replace("tinygrad_mnist.datasets", "")
                assert "tinygrad_mnist" not in left
