"""README's commands run, and its table is what they print. (That of make and pip: test_readme.)"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
SCRIPT, SCRIPT_PRINTS = re.search(
    r"in `fit\.py`:\n\n```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL
).groups()
COMMANDS = re.findall(r"^\.venv/bin/(tinygrad-mnist .*|python -m reference.*)$", SHELL, re.M)


def run(command, folder, mnist_directory):
    """What a command of README prints, in a folder of its own."""
    name, *arguments = command.split()
    module = ["-m", "tinygrad_mnist"] if name == "tinygrad-mnist" else []
    environment = {
        **os.environ,
        "TINYGRAD_MNIST_DATA": str(mnist_directory),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, *module, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text):
    """The table's rows, without the seconds."""
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return [[float(number) for number in re.findall(r"[\d.]+", line)[:5]] for line in lines]


def test_readme_shows_commands():
    assert {command.split(" --")[0] for command in COMMANDS} == {
        "tinygrad-mnist train",
        "tinygrad-mnist parity softmax nn.functional.linear",
        "tinygrad-mnist run fit.py",
        "tinygrad-mnist compare fit.py",
        "python -m reference.train",
        "python -m reference.lockstep",
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command, mnist_directory, tmp_path):
    (tmp_path / "fit.py").write_text(SCRIPT, encoding="utf-8")
    printed = run(command, tmp_path, mnist_directory)
    (tmp_path / "fit.py").unlink()
    if command.startswith("tinygrad-mnist run"):
        assert printed == SCRIPT_PRINTS
    if command.startswith("tinygrad-mnist compare"):
        assert printed.endswith("equal within 1000 ulp or 1e-06\n")
    if command.startswith("tinygrad-mnist train"):
        for row, shown in zip(rows(printed), rows(README), strict=True):
            assert row == pytest.approx(shown, abs=2e-4)  # BLAS differs from machine to machine
    asked_for = re.findall(r"--(?:plot|json|save) (\S+)", command)
    assert [path.name for path in tmp_path.iterdir()] == asked_for
