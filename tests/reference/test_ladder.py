"""The ladder of the tutorial: each rung prints the same text on both engines."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tutorial.pages import agrees
from tinygrad_mnist.datasets import synthetic

ROOT = Path(__file__).resolve().parents[2]
LADDER = ROOT / "reference" / "ladder"
RUNGS = sorted(path.stem for path in LADDER.glob("rung*.py"))
REWRITTEN = [RUNGS[:3], RUNGS[3:7], RUNGS[9:]]
"""Rungs that compute the same from the same start, and differ only in how they are written."""

ROWS = 3200
"""50 steps of 64: two epochs stay below the 160 steps after which two engines' CNNs part."""

IN_TORCH = ()
ON_OUR_ENGINE = ("-m", "tinygrad_mnist", "run")

CLIMB = """
import contextlib, io, json, runpy, sys

folder, names, arguments = json.loads(sys.argv[1])
sys.path[0] = folder
for name in names:
    sys.argv = [name, *arguments]
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        runpy.run_path(f"{folder}/{name}.py", run_name="__main__")
    print(json.dumps([name, output.getvalue()]))
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A file of digits in the form that --data takes; the paper is clean, as MNIST's is."""
    images, labels = synthetic.draw(2 * ROWS)
    images = np.where(images > 64, images, 0)
    x, y = images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(file, x_train=x[:ROWS], y_train=y[:ROWS], x_valid=x[ROWS:], y_valid=y[ROWS:])
    return file


def climb(engine, digits):
    """What each rung prints, by name; all in one process, which is faster than one for each."""
    script = digits.with_name("climb.py")
    script.write_text(CLIMB, encoding="utf-8")
    task = json.dumps([str(LADDER), RUNGS, ["--data", str(digits), "--epochs", "2"]])
    done = subprocess.run(
        [sys.executable, *engine, script, task],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.fixture(scope="module")
def in_torch(digits):
    return climb(IN_TORCH, digits)


@pytest.fixture(scope="module")
def on_ours(digits):
    return climb(ON_OUR_ENGINE, digits)


def test_there_are_twelve_rungs():
    assert [name[:6] for name in RUNGS] == [f"rung{number:02}" for number in range(1, 13)]


@pytest.mark.parametrize("name", RUNGS)
def test_both_engines_print_the_same(name, in_torch, on_ours):
    assert on_ours[name] == in_torch[name]
    lines = re.findall(r"^epoch \d: .*loss \d\.\d{4}, accuracy \d\.\d{4}$", on_ours[name], re.M)
    assert len(lines) == 2


@pytest.mark.parametrize("names", REWRITTEN)
def test_rewriting_changes_no_number(names, on_ours):
    assert len({on_ours[name] for name in names}) == 1


@pytest.mark.parametrize("name", RUNGS)
def test_training_gets_somewhere(name, on_ours):
    first, *_, last = re.findall(r"loss (\d\.\d{4})", on_ours[name])
    assert float(last) < float(first)


def alone(name, *arguments, engine=IN_TORCH):
    """A rung run as a reader runs it: by its path, from anywhere."""
    command = [sys.executable, *engine, str(LADDER / f"{name}.py"), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT) if engine else ""}
    return subprocess.run(
        command, cwd="/", env=environment, capture_output=True, text=True, check=False
    )


def test_a_rung_runs_alone(digits, in_torch):
    done = alone(RUNGS[0], "--data", digits, "--device", "cpu")
    assert (done.returncode, done.stdout) == (0, in_torch[RUNGS[0]]), done.stderr


def test_mistakes_end_in_a_sentence(tmp_path):
    absent = alone(RUNGS[8], "--data", tmp_path, engine=ON_OUR_ENGINE)
    assert (absent.returncode, absent.stdout) == (1, "")
    assert absent.stderr.startswith(f"error: {tmp_path}: holds neither")
    refused = alone(RUNGS[-1], "--rows", "0", engine=ON_OUR_ENGINE)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("error: --rows: expected an integer from 1 on, got 0\n")


@pytest.mark.cuda
def test_a_gpu_gives_the_same_numbers(digits, in_torch):
    done = alone(RUNGS[4], "--data", digits, "--device", "cuda")
    assert done.returncode == 0, done.stderr
    assert agrees(done.stdout, in_torch[RUNGS[4]])
