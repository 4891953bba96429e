"""Compiled loops on the disk: written once, then loaded; damaged, stale, or impossible."""

import os
from pathlib import Path

import pytest

from tests.kernels.test_dispatch import run
from tinygrad_mnist.kernels import dispatch

FEW = """
from tinygrad_mnist.kernels import dispatch
from tinygrad_mnist.kernels import batch_last, convolution, helpers, pooling
for group, kept in ((dispatch.base, ("reductions", "softmax")), (dispatch.images, ("pooling",))):
    group._files = kept
    group.declared[:] = [
        (function, *rest) for function, *rest in group.declared
        if rest[0] is None or function.__module__.endswith(kept)
    ]
"""
"""Some loops of each group are enough: all are kept and loaded in the same way."""

WARM_UP = """
import os
import sys
import numpy as np
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch

assert kernels.warm_up()
if "IMAGES" in os.environ:
    assert dispatch.images.switch()
assert abs(kernels.log_softmax(np.eye(2))[0, 0] + 0.31326168751822286) < 1e-15
groups = [group for group in (dispatch.base, dispatch.images) if group.on]

def loops():
    declared = [each for group in groups for each in group.declared]
    return [function.__globals__[function.__name__]
            for function, signature, _ in declared if signature is not None]

assert len(loops()) == (12 if "IMAGES" in os.environ else 7)
if "numba" in sys.modules:
    assert not any(hasattr(loop, "_dtypes") for loop in loops())
native = [loop for loop in loops() if hasattr(loop, "_dtypes")]
for loop in native:
    for dtype in loop._dtypes:
        loop._first(dtype)
if "numba" not in sys.modules:
    print(sum(len(loop._codes) for loop in native), 0)
else:
    for loop in loops():
        if loop._can_compile:
            loop.compile()
    print(sum(sum(loop.stats.cache_hits.values()) for loop in loops()),
          sum(sum(loop.stats.cache_misses.values()) for loop in loops()))
"""


def warm_up(directory, **environment):
    """How many loops were loaded and compiled, and what was said."""
    environment |= {"NUMBA_CACHE_DIR": str(directory), "TINYGRAD_MNIST_KERNELS": "numba"}
    output, said = run(FEW + WARM_UP, **environment)
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
        f"tinygrad_mnist: compiling its kernels once (about 10 s); kept in {kept}\n"
        f"tinygrad_mnist: compiling its kernels for images once (about 20 s); kept in {kept}\n"
    )


def test_the_second_process_loads_and_says_nothing(cache):
    directory, compiled, _ = cache
    assert warm_up(directory, IMAGES="1") == ([compiled, 0], "")


def test_a_large_call_loads_by_itself(cache):
    code = (
        FEW
        + """
import numpy as np
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch

kernels.log_softmax(np.ones((64, 784), np.float32))
print(dispatch.base.on)
"""
    )
    environment = {"NUMBA_CACHE_DIR": str(cache[0]), "TINYGRAD_MNIST_KERNELS": "numba"}
    assert run(code, **environment) == ("True\n", "")


def test_damaged_files_are_replaced(cache):
    directory, _, _ = cache
    damaged = list(Path(directory).rglob("reductions.*.nbc"))
    assert len(damaged) == 8
    for number, file in enumerate(damaged):
        file.write_bytes((b"\x80\x04garbage", b"", file.read_bytes()[:-9])[number % 3])
    assert warm_up(directory) == ([6, 8], "")
    assert warm_up(directory) == ([14, 0], "")


def test_a_folder_that_cannot_be_written_still_works(tmp_path):
    obstacle = tmp_path / "file"
    obstacle.touch()
    directory = obstacle / "cache"
    (loaded, _), said = warm_up(directory)
    assert loaded == 0
    assert said == (
        f"tinygrad_mnist: keeps nothing for the next run: {obstacle} is no folder\n"
        "tinygrad_mnist: compiling its kernels once (about 10 s); not kept\n"
    )


def test_another_numba_is_another_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = dispatch._marker("loops")
    assert before.parents[2] == tmp_path
    monkeypatch.setattr(dispatch.importlib.metadata, "version", lambda name: "0.0")
    assert dispatch._marker("loops") != before
