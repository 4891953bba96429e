"""Compiling in another process, while the function runs uncompiled."""

import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest

from tests.kernels.test_dispatch import run
from tinygrad_mnist.compiler import background
from tinygrad_mnist.kernels import dispatch

STEP = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # as where nobody works in the background
import tinygrad_mnist as torch
from tinygrad_mnist.compiler import background

torch.compiler.config.background = True

def step(x):
    torch.rand(1)
    return (x * x).sum()

compiled = torch.compile(step)
x = torch.arange(4.0)
"""
UNTIL_COMPILED = """
torch.manual_seed(0)
found = [compiled(x).item()]
assert compiled._newest._step is None
while compiled._newest._step is None:
    found.append(compiled(x).item())
    time.sleep(0.01)
drawn = torch.rand(1)
torch.manual_seed(0)
assert {step(x).item() for _ in found} == {*found}
assert drawn.equal(torch.rand(1))
while background._running:
    time.sleep(0.01)
print({"numba"} & {*sys.modules})
"""
UNTIL_KILLED = """
compiled(x)
((_, _, process),) = background._running
print(process.pid, flush=True)
time.sleep(600)
"""


def test_steps_go_on_until_the_code_is_there(tmp_path):
    """They give what they give, draw what they draw, and load no compiler."""
    assert run(STEP + UNTIL_COMPILED, NUMBA_CACHE_DIR=str(tmp_path)) == ("set()\n", "")


def is_alive(pid):
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip() not in ("", "Z", "Zs", "Z+")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL])
def test_the_process_ends_with_the_one_that_started_it(ended_by, tmp_path):
    ours = subprocess.Popen(
        [sys.executable, "-c", STEP + UNTIL_KILLED],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    pid = int(ours.stdout.readline())
    assert is_alive(pid)
    ours.send_signal(ended_by)
    assert ours.wait(60)
    end = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(pid)
    ours.stdout.close()


@pytest.fixture
def started(monkeypatch):
    """The jobs that were started; what becomes of them is told."""
    jobs = []

    def start(job):
        jobs.append(SimpleNamespace(job=job, returncode=None, stdin=BytesIO()))
        jobs[-1].poll = lambda job=jobs[-1]: job.returncode
        return jobs[-1]

    monkeypatch.setattr(background, "_started", start)
    monkeypatch.setattr(background, "_ended", set())
    yield jobs
    for job in jobs:
        job.returncode = 0
    background._collect()


def test_one_program_is_compiled_at_a_time(started, tmp_path):
    arrays = [np.ones((2, 3), np.float32), np.ones(4)]

    def wait(name):
        with pytest.raises(background.Later):
            background.wait_for("def step(): ...", frozenset(), arrays, tmp_path / name)

    for name in ("one", "other", "one"):
        wait(name)
    assert len(started) == 1
    assert b'"arrays": ["float32 2 C 501", "float64 1 C 501"]' in started[0].job
    assert dispatch._STAYING
    started[0].returncode = 1  # what cannot be compiled there is compiled here, which says why
    wait("other")
    assert len(started) == 2
    (tmp_path / "other").touch()
    for name in ("one", "other"):
        background.wait_for("def step(): ...", frozenset(), arrays, tmp_path / name)
    started[1].returncode = 0
    background._collect()
    assert not dispatch._STAYING
    assert not background._running


def test_what_another_process_cannot_be_told_is_compiled_here(started, tmp_path):
    for arrays in ([np.ones((3, 3)).T[:2]], [np.ones(3, ">f4")]):
        background.wait_for("def step(): ...", frozenset(), arrays, tmp_path / "file")
    background.wait_for("def step(): ...", frozenset(), [np.ones(3)], None)
    assert not started
