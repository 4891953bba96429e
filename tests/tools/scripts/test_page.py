"""The examples of docs/scripts.md: each command prints what stands under it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
PAGE = re.sub(r"<!-- results: .*? -->\n\n", "", PAGE)  # what a command wrote begins there
FILES = re.findall(r"`([\w.]+)`:\n\n(`{3,})\w+\n(.*?)\n\2\n", PAGE, re.DOTALL)
COMMANDS = re.findall(r"```sh\ntinygrad-mnist ([^\n]*)\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def masked(text):
    """Lines without numbers, rulers and the width of columns, which machines differ in."""
    lines = re.sub(r"\d[\d.e+-]*", "#", re.sub(r"[─━┃┳╇┻┏┓┡┩┴└┘┬]", " ", text)).splitlines()
    return sorted(" ".join(line.split()) for line in lines)


def test_the_page_has_examples():
    assert [name for name, _, _ in FILES] == ["fit.py", "spectrum.py", "gpu.py", "lesson.md"]
    assert [command for command, _ in COMMANDS] == [
        "run fit.py",
        "run spectrum.py",
        "run --device cpu gpu.py",
        "run lesson.md",
        "compare fit.py",
    ]


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_command(command, shown, tmp_path):
    for name, _, content in FILES:
        (tmp_path / name).write_text(content + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mnist", *command.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == shown.startswith("error: ")
    if command.startswith("compare"):
        assert masked(done.stdout) == masked(shown)
    else:
        assert done.stdout + done.stderr == shown
