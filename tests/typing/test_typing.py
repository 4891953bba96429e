"""Type checkers know the public face: correct code passes, and each mistake is found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]


FILES = ("correct.py", "mistakes.py")


def errors(lines):
    """The lines of each file in which a checker finds errors, with what it says."""
    found = {name: {} for name in FILES}
    for name, line, text in lines:
        found[name].setdefault(int(line), text)
    return found


def mypy():
    """What mypy --strict finds in the files, with the settings and the cache of `make lint`."""
    done = run([sys.executable, "-m", "mypy", "--no-error-summary"])
    return errors(re.findall(r"^\S*?(\w+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE))


def pyright():
    """What pyright finds in the files."""
    done = run([sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable])
    found = json.loads(done.stdout)["generalDiagnostics"]
    return errors(
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in found
        if each["severity"] == "error"
    )


def run(command):
    paths = [str(FOLDER / name) for name in FILES]
    done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done


@pytest.fixture(scope="module", params=[mypy, pyright], ids=lambda checker: checker.__name__)
def found(request):
    return request.param()


def test_correct_code_passes(found):
    assert found["correct.py"] == {}


def test_each_mistake_is_found_and_nothing_else(found):
    lines = (FOLDER / "mistakes.py").read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if "# wrong" in line}
    mistakes = found["mistakes.py"]
    assert {number: lines[number - 1] for number in wrong - mistakes.keys()} == {}
    assert {number: text for number, text in mistakes.items() if number not in wrong} == {}


def test_correct_code_runs(tmp_path):
    command = [sys.executable, str(FOLDER / "correct.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("found", [mypy], indirect=True)
def test_the_page_shows_what_mypy_says(found):
    mistakes = [
        line.partition("  #")[0] for line in (FOLDER / "mistakes.py").read_text().split("\n")
    ]
    page = (ROOT / "docs" / "typing.md").read_text(encoding="utf-8")
    code, said = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)[:2]
    shown = re.findall(r"^(\d+): error: (.*)$", said, re.MULTILINE)
    assert len(shown) > 5
    for line, message in shown:
        mistake = code.split("\n")[int(line) - 1]
        assert found["mistakes.py"][mistakes.index(mistake) + 1] == message
