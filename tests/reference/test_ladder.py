"""The ladder of the tutorial: each rung prints the same text on both engines."""

import os
import re
import subprocess
import sys

import pytest

from tests.reference.climbing import (
    IN_TORCH,
    LADDER,
    ON_OUR_ENGINE,
    REWRITTEN,
    ROOT,
    RUNGS,
    climb,
    save_digits,
)

ROWS = 1600
"""25 steps of 64: two epochs stay below the 160 steps after which two engines' CNNs part."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A file of digits to climb with."""
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    save_digits(file, ROWS)
    return file


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
    lines = re.findall(r"^epoch \d: .*loss \d\.\d{2,4}, accuracy \d\.\d{2,4}$", on_ours[name], re.M)
    assert len(lines) == 2


@pytest.mark.parametrize("names", REWRITTEN)
def test_rewriting_changes_no_number(names, on_ours):
    assert len({on_ours[name] for name in names}) == 1


@pytest.mark.parametrize("name", RUNGS)
def test_training_gets_somewhere(name, on_ours):
    first, *_, last = re.findall(r"loss (\d\.\d{2,4})", on_ours[name])
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
