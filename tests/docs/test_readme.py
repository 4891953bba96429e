"""README says what is true: its code prints what stands under it, its commands are make's."""

import contextlib
import io
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")


def blocks(text):
    """The fenced blocks of a text: language and content."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


BLOCKS = blocks(README)
EXAMPLES = [
    (code, output)
    for (language, code), (next_language, output) in pairwise(BLOCKS)
    if (language, next_language) == ("python", "text")
]


def printed(code):
    """What the code prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "README.md", "exec"), {})
    return output.getvalue()


def test_every_example_shows_its_output():
    assert len(EXAMPLES) == sum(language == "python" for language, _ in BLOCKS) > 0


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_example_prints_what_readme_shows(code, output):
    assert printed(code) == output


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_pytorch_prints_the_same(code, output):
    assert printed(code.replace("tinygrad_mnist", "torch")) == output


def test_pip_commands_are_what_make_runs():
    make = ["make", "--dry-run", "--always-make", "train", "test"]
    shown = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    run_by_make = {line.replace(" --quiet", "").strip() for line in shown.splitlines()}
    commands = re.findall(r"^.* -m (?:pip|venv) .*$", README, re.MULTILINE)
    assert len(commands) == 3
    assert set(commands) <= run_by_make


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?<=[`\s])make ([a-z]+)", README)) <= targets


def test_the_korean_readme_shows_the_same():
    assert blocks(KOREAN) == BLOCKS
    commands = r"`((?:make|tinygrad-mnist|TINYGRAD_MNIST_DATA)\b.*?)`"
    assert set(re.findall(commands, README)) <= set(re.findall(commands, KOREAN))
    assert len(re.findall(r"^## ", KOREAN, re.MULTILINE)) == README.count("\n## ")


def test_the_readmes_link_to_each_other():
    assert "](README.ko.md)" in README
    assert "](README.md)" in KOREAN
