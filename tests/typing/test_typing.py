"""Type checkers know the public face: correct code passes, and each mistake is found."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]


def mypy(path):
    """The lines of a file in which mypy finds errors, with what it says."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "--config-file",
        os.devnull,
    ]
    command += [
        "--follow-imports",
        "silent",
        "--ignore-missing-imports",
        "--no-error-summary",
        str(path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(rf"^\S*{path.name}:(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return {int(line): text for line, text in found}


def pyright(path):
    """The lines of a file in which pyright finds errors, with what it says."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {
        each["range"]["start"]["line"] + 1: each["message"]
        for each in found
        if each["severity"] == "error"
    }


CHECKERS = {"mypy": mypy, "pyright": pyright}


@pytest.mark.parametrize("checker", CHECKERS)
def test_correct_code_passes(checker):
    assert CHECKERS[checker](FOLDER / "correct.py") == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_found(checker):
    path = FOLDER / "mistakes.py"
    wrong = {n for n, line in enumerate(path.read_text().splitlines(), 1) if "# wrong" in line}
    found = CHECKERS[checker](path)
    assert {n: path.read_text().splitlines()[n - 1] for n in wrong - found.keys()} == {}
    assert {n: text for n, text in found.items() if n not in wrong} == {}


def test_correct_code_runs(tmp_path):
    command = [sys.executable, str(FOLDER / "correct.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
