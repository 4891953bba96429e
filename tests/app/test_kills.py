"""Runs that are killed at random moments: each is resumed, and ends with the same weights.

Few are killed here; `KILLS=50 python -m pytest -s tests/app/test_kills.py` kills more, and tells.
"""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from tests.processes import started
from tinygrad_mnist.app import checkpoints
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels, save_archive

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", "2"))
COMMAND = [sys.executable, "-m", "tinygrad_mnist", "train"]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """A run of 96 steps on a few digits, with an optimiser's state and random orders to lose."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((500, 100, 10))]
    with path.open("wb") as file:
        save_archive(file, from_pixels(parts, "synthetic", "a few digits"))
    run = "--model mlp --optimizer adam --shuffle --epochs 3 --batch-size 16 --threads 1"
    return [*run.split(), "--data", str(path)]


def start(arguments):
    return started([*COMMAND, *map(str, arguments)], cwd=ROOT)


def finish(process):
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def begun_or_resumed(checkpoint, options):
    """The arguments that go on with a run: from its checkpoint, where there is one yet."""
    if checkpoint.exists():
        return ["--resume", checkpoint]
    return [*options, "--checkpoint", checkpoint, "--checkpoint-every", "1"]


def steps_of(checkpoint):
    return len(checkpoints.read(checkpoint).state["losses"])


def seconds_until(done, process):
    """How long it took until `done()`, or until the process was over."""
    began = time.monotonic()
    while not done() and process.poll() is None:
        time.sleep(0.001)
    return time.monotonic() - began


def test_killed_runs_end_with_the_same_weights(options, tmp_path):
    whole, saved = tmp_path / "whole.safetensors", tmp_path / "saved.safetensors"
    checkpoint = tmp_path / "run.pt"
    with start([*begun_or_resumed(checkpoint, options), "--save", whole]) as process:
        to_begin = seconds_until(checkpoint.exists, process)
        to_train = seconds_until(whole.exists, process)
        finish(process)
    moments = random.Random(KILLS)
    for kill in range(1, KILLS + 1):
        checkpoint.unlink()
        with start(begun_or_resumed(checkpoint, options)) as process:
            if moments.random() < 0.1:
                time.sleep(moments.uniform(0, to_begin))
            else:
                seconds_until(checkpoint.exists, process)
                time.sleep(moments.uniform(0, to_train))
            process.kill()
            process.communicate()
        steps = steps_of(checkpoint) if checkpoint.exists() else None
        left = [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"]
        with start([*begun_or_resumed(checkpoint, options), "--save", saved]) as process:
            finish(process)
        assert steps_of(checkpoint) == 96
        assert saved.read_bytes() == whole.read_bytes()
        assert not list(tmp_path.glob(".*.tmp"))
        was = "before its first checkpoint" if steps is None else f"after step {steps} was kept"
        half = f", {len(left)} half-written" if left else ""
        print(f"kill {kill} of {KILLS} {was}{half}: resumed, ends with the same weights")
