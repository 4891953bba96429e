"""`tinygrad-mnist parity`: the table, its files, its exit codes, and what it says of mistakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_mnist.tools.parity import report
from tinygrad_mnist.tools.parity import table as operations
from tinygrad_mnist.tools.parity.table.families import unary

ROOT = Path(__file__).resolve().parents[3]
QUICK = ("--examples", "1")


def words(text):
    """What a person reads, without frames and line ends."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def wrong(monkeypatch):
    """A table with an operation of which the two engines have different ideas."""
    row = operations.Operation("exp", unary(), lambda engine, x: x * len(engine.__name__))
    monkeypatch.setattr(operations, "OPERATIONS", (row,))


def test_prints_a_row_for_each_operation_and_their_sum(command):
    result = command("parity", "exp", "sum", *QUICK)
    assert result.exit_code == 0
    heads, *rows = result.stdout.splitlines()
    assert heads.split("  ")[0] == "operation"
    assert [row.split("  ")[0] for row in rows] == ["exp", "sum", "2 operations"]


def test_writes_what_it_measured(command, tmp_path):
    page, data = tmp_path / "parity.md", tmp_path / "parity.json"
    result = command("parity", "exp", *QUICK, "--markdown", page, "--json", data)
    assert result.exit_code == 0
    assert result.stdout.endswith(f"wrote {page}\nwrote {data}\n")
    assert page.read_text().startswith("# Parity with PyTorch\n")
    assert "\n| `exp`, also `Tensor.exp` | " in page.read_text()
    content = json.loads(data.read_text())
    assert [row["operation"] for row in content["rows"]] == ["exp"]
    assert content["totals"]["samples"] == content["rows"][0]["samples"] > 0
    assert set(content["versions"]) >= {"PyTorch", "NumPy", "Python"}


def test_a_seed_fixes_the_samples(command):
    def shown(seed):
        return command("parity", "log_softmax", "--examples", "2", "--seed", seed).stdout

    assert shown(1) == shown(1)
    assert shown(1) != shown(2)


def test_a_difference_is_in_the_table_and_the_exit_code(command, wrong, tmp_path):
    data = tmp_path / "parity.json"
    result = command("parity", *QUICK, "--json", data)
    assert result.exit_code == 1
    assert "value (ordinary)" in result.stdout
    assert "value (ordinary)" in json.loads(data.read_text())["rows"][0]["differs"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("softmaxx", "no operation is called 'softmaxx'; did you mean softmax?"),
        ("linear", "no operation is called 'linear'; did you mean nn.functional.linear?"),
        ("qqqqqq", "no operation is called 'qqqqqq'"),
    ],
)
def test_an_unknown_operation_is_told_in_a_sentence(name, sentence, command):
    result = command("parity", name)
    assert result.exit_code == 2
    assert sentence in words(result.stderr)


def test_without_pytorch_it_says_what_to_install(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = command("parity", "exp")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: PyTorch is not installed: pip install 'tinygrad_mnist[reference]'\n"
    )


def test_needs_no_hypothesis(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    assert command("parity", "exp", *QUICK).exit_code == 0


def test_files_that_cannot_be_written_are_found_before_anything_is_measured(
    command, monkeypatch, tmp_path
):
    monkeypatch.setattr(report, "measure", lambda *_: pytest.fail("measured"))
    result = command("parity", "exp", "--markdown", tmp_path / "no" / "parity.md")
    assert result.exit_code == 1
    assert "its folder does not exist; create it first" in result.stderr


def test_two_files_are_not_one(command, tmp_path):
    result = command("parity", "--markdown", tmp_path / "a", "--json", tmp_path / "a")
    assert result.exit_code == 2
    assert "expected a file for each" in words(result.stderr)


def test_help_says_what_to_install(command):
    assert "tinygrad_mnist[reference]" in words(command("parity", "--help").stdout)


def test_help_shows_examples(command):
    for arguments in (("--help",), ("parity", "--help")):
        assert "tinygrad-mnist parity" in command(*arguments).stdout


def read_all(terminal):
    """What was written to the terminal, whose other end is closed."""
    content = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so at the end
            part = b""
        if not part:
            return content.decode()
        content += part


def test_a_terminal_shows_how_far_it_is():
    pty = pytest.importorskip("pty")
    terminal, end = pty.openpty()
    arguments = ["-m", "tinygrad_mnist", "parity", "exp", "sum", *QUICK]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=end, env=environment
    ) as process:
        os.close(end)
        table = process.stdout.read().decode()
    shown = read_all(terminal)
    os.close(terminal)
    assert process.returncode == 0
    assert re.search(r"0/2", shown)
    assert "2 operations" in table
