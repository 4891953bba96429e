"""README's commands run, and its table is what they print. (That of make and pip: test_readme.)"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPT, SCRIPT_PRINTS = re.search(
    r"in `fit\.py`:\n\n```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL
).groups()
_COMMAND = re.compile(r"^\.venv/bin/(tinygrad-mnist .*|python -m reference.*)$", re.MULTILINE)
BLOCKS = [
    commands
    for block in re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if (commands := _COMMAND.findall(block))
]
"""The commands of each block, which follow one another in one folder."""
ELSEWHERE = (["tinygrad-mnist run fit.py"], ["tinygrad-mnist compare fit.py"])
"""The page of scripts shows these too, and its tests run them."""
PREDICTION = re.search(r"^docs/\S+: \d\n( +\d \d.*\n)+", README, re.MULTILINE).group()


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
    assert {re.split(r" -|\.s", command)[0] for block in BLOCKS for command in block} == {
        "tinygrad-mnist train",
        "tinygrad-mnist eval mlp",
        "tinygrad-mnist predict mlp",
        "tinygrad-mnist draw mlp",
        "tinygrad-mnist parity softmax nn.functional.linear",
        "tinygrad-mnist run fit.py",
        "tinygrad-mnist compare fit.py",
        "tinygrad-mnist explain",
        "tinygrad-mnist explain fit.py",
        "python",
    }


def test_the_page_of_scripts_shows_the_same_script():
    page = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    page = re.sub(r"<!-- results: .*? -->\n\n", "", page)  # what a command wrote begins there
    assert f"`fit.py`:\n\n```python\n{SCRIPT}```" in page
    for (command,), shown in zip(ELSEWHERE, (SCRIPT_PRINTS, ""), strict=True):
        assert f"```sh\n{command}\n```\n\n```text\n{shown}" in page


@pytest.mark.parametrize(
    "commands", [b for b in BLOCKS if b not in ELSEWHERE], ids=lambda commands: commands[0]
)
def test_commands(commands, mnist_directory, tmp_path):
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "fit.py").write_text(SCRIPT, encoding="utf-8")
    printed = {command: run(command, tmp_path, mnist_directory) for command in commands}
    asked_for = re.findall(r"--(?:plot|json|save|checkpoint|report) (\S+)", " ".join(commands))
    asked_for += re.findall(r" -o (\S+)", " ".join(commands))
    assert {path.name for path in tmp_path.iterdir()} == {"docs", "fit.py", *asked_for}
    for command, text in printed.items():
        if command == "tinygrad-mnist train --report page.html":
            for row, shown in zip(rows(text), rows(README), strict=True):
                assert row == pytest.approx(shown, abs=2e-4)  # BLAS differs between machines
        if command.startswith("tinygrad-mnist predict"):
            name, *shares = text.split()
            expected_name, *expected = PREDICTION.split()
            assert name == expected_name
            assert [float(each) for each in shares] == pytest.approx(
                [float(each) for each in expected], abs=0.02
            )
