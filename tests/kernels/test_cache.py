"""Compiled loops on the disk: written once, then loaded; damaged, stale, or impossible."""

import os
from pathlib import Path

import pytest

from tests.kernels.test_dispatch import run
from tinygrad_mnist.kernels import dispatch

WARM_UP = """
import os
import sys
import numpy as np
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch, pooling, reductions, softmax
from tinygrad_mnist.kernels.loop import Loop

assert kernels.warm_up()
assert "numba" not in sys.modules or not dispatch._used_before("loops")
if "IMAGES" in os.environ:
    assert dispatch.images.switch()
assert abs(kernels.log_softmax(np.eye(2))[0, 0] + 0.31326168751822286) < 1e-15
modules = (reductions, softmax, pooling) if "IMAGES" in os.environ else (reductions, softmax)
loops = [each for module in modules for each in vars(module).values() if isinstance(each, Loop)]
loops = [loop for loop in loops if loop.py_func.__module__ in [each.__name__ for each in modules]]
entries = [loop.entry(dtype) for loop in loops for dtype in loop.dtypes]
compiled = 0
if "numba" in sys.modules:
    from tinygrad_mnist.kernels.compiling import _function

    compiled = sum(sum(_function(loop).stats.cache_misses.values()) for loop in loops)
print(len(entries) - compiled, compiled)
"""
"""Some loops of each group are enough: all are kept and loaded in the same way."""


def warm_up(directory, **environment):
    """How many loops were loaded and compiled, and what was said."""
    environment |= {"NUMBA_CACHE_DIR": str(directory), "TINYGRAD_MNIST_KERNELS": "numba"}
    output, said = run(WARM_UP, **environment)
    return [int(number) for number in output.split()], said


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache that one process has filled; and what it said."""
    directory = tmp_path_factory.mktemp("cache")
    (loaded, compiled), said = warm_up(directory, IMAGES="1")
    assert loaded == 0
    return directory, compiled, said


def test_the_first_process_compiles_and_says_so_in_one_line(cache):
    directory, compiled, said = cache
    kept = directory / f"tinygrad_mnist-{os.geteuid()}" / "code"
    assert compiled == 24
    assert said == (
        "tinygrad_mnist: compiling each of its kernels when it is first called, "
        f"once a machine; kept in {kept}\n"
    )


def test_the_second_process_loads_and_says_nothing(cache):
    directory, compiled, _ = cache
    assert warm_up(directory, IMAGES="1") == ([compiled, 0], "")


def test_a_large_call_loads_by_itself(cache):
    code = """
import numpy as np
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch

kernels.log_softmax(np.ones((64, 784), np.float32))
print(dispatch.base.on)
"""
    environment = {"NUMBA_CACHE_DIR": str(cache[0]), "TINYGRAD_MNIST_KERNELS": "numba"}
    assert run(code, **environment) == ("True\n", "")


def test_a_loop_is_compiled_when_it_is_called_and_no_sooner(tmp_path):
    code = """
import sys
import numpy as np
from tinygrad_mnist import kernels

assert kernels.warm_up()
kernels.log_softmax(np.ones((4, 5), np.float32))
"""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "TINYGRAD_MNIST_KERNELS": "numba"}
    run(code, **environment)
    kept = sorted(file.name.partition("-")[0] for file in tmp_path.rglob("*.nbc"))
    assert [name for name in kept if name != "work"] == ["softmax._log_softmax_loop"]


def test_damaged_files_are_replaced(cache):
    directory, _, line = cache
    damaged = list(Path(directory).rglob("reductions.*.nbc"))
    assert len(damaged) == 8
    for number, file in enumerate(damaged):
        file.write_bytes((b"\x80\x04garbage", b"", file.read_bytes()[:-9])[number % 3])
    assert warm_up(directory) == ([6, 8], line)
    assert warm_up(directory) == ([14, 0], "")


def test_a_folder_that_cannot_be_written_still_works(tmp_path):
    obstacle = tmp_path / "file"
    obstacle.touch()
    directory = obstacle / "cache"
    (loaded, _), said = warm_up(directory)
    assert loaded == 0
    assert said == (
        f"tinygrad_mnist: keeps nothing for the next run: {obstacle} is no folder\n"
        "tinygrad_mnist: compiling each of its kernels when it is first called, not kept\n"
    )


def test_another_numba_is_another_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = dispatch._marker("loops")
    assert before.parents[2] == tmp_path
    monkeypatch.setattr(dispatch.importlib.metadata, "version", lambda name: "0.0")
    assert dispatch._marker("loops") != before
