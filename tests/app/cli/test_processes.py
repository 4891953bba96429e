"""The command in a process of its own: how it starts, is interrupted, draws, and exits."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import started

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-W", "error", "-m", "tinygrad_mnist"]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])[;\d]*m")


def run(*arguments, **options):
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def test_train(digits_file):
    done = run("train", "--data", digits_file)
    assert done.returncode == 0, done.stderr
    assert "valid accuracy" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_output_that_cannot_show_boxes(digits_file):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run("train", "--data", digits_file, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "valid accuracy" in done.stdout


def test_mistakes_exit_with_2_and_faults_with_1():
    assert run("train", "--epochs", "0").returncode == 2
    assert run("fly").returncode == 2
    done = run("train", "--data", "nowhere")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["train"], ["data", "show"]])
def test_a_full_disk_under_the_output(arguments, digits_file):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full to stand for a full disk")
    data = [] if "--help" in arguments else ["--data", str(digits_file)]
    with open("/dev/full", "w") as full:
        command = [*COMMAND, *arguments, *data]
        done = subprocess.run(
            command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


def test_files_are_written_even_if_nobody_reads_the_table(digits_file, tmp_path):
    report = tmp_path / "report.json"
    command = [*COMMAND, "train", "--data", str(digits_file), "--json", str(report)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        stderr = process.stderr.read()
    assert process.returncode == -signal.SIGPIPE
    assert "Traceback" not in stderr
    assert len(json.loads(report.read_text())["history"]) == 2


def test_ctrl_c_stops_with_the_epochs_that_are_complete(digits_file, tmp_path):
    report = tmp_path / "report.json"
    options = ["--data", digits_file, "--epochs", "1000000", "--json", report]
    with started([*COMMAND, "train", *map(str, options)], cwd=ROOT) as process:
        lines = iter(process.stderr.readline, "")
        assert any(line.startswith("epoch 3 of 1000000: ") for line in lines)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    (complete,) = re.findall(r"stopped: (\d+) of 1000000 epochs are complete", stderr)
    assert "Traceback" not in stderr
    assert len(json.loads(report.read_text())["history"]) == int(complete) >= 3
    assert re.search(rf"│ +{complete} │", stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("no_colour", [False, True])
def test_a_terminal_shows_a_bar(no_colour, digits_file):
    pty = pytest.importorskip("pty")
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    if no_colour:
        environment["NO_COLOR"] = "1"
    command = [*COMMAND, "train", "--data", str(digits_file), "--epochs", "3"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=end, env=environment
    ) as process:
        os.close(end)
        shown = read_all(terminal)
        table = process.stdout.read().decode()
    os.close(terminal)
    assert process.returncode == 0, shown
    assert "epoch 1 of 3" in shown
    assert re.search(r"loss \d\.\d{4}", shown)
    assert bool(COLOUR.search(shown)) != no_colour
    assert "valid accuracy" in table
    assert "samples/s" in table


def read_all(terminal):
    """What is written to the terminal until its other end is closed."""
    content = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so at the end
            break
        if not part:
            break
        content += part
    return content.decode()


def test_version_and_help_need_nothing_large():
    program = (
        "import sys; from tinygrad_mnist.app.cli import main; sys.argv = ['tinygrad-mnist', '{}']\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {{'numba', 'matplotlib'}} & set(sys.modules))"
    )
    for option in ("--version", "--help"):
        command = [sys.executable, "-c", program.format(option)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "0 set()"
