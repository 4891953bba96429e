"""Compiled code from the disk, run without Numba; what cannot be loaded safely is not."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from tests.kernels.test_dispatch import run
from tinygrad_mnist.kernels import compiling, native_code


def _added(x, y, out):
    product = np.empty(len(x), x.dtype)
    for n in range(len(x)):
        product[n] = x[n] * y
    out[:] = product + np.log(x)
    return -1


ARRAYS = np.arange(1.0, 6.0), 3.0, np.empty(5)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A file of code, and what the code gave when it was compiled."""
    file = tmp_path_factory.mktemp("code") / "added.nbc"
    code = compiling.code_for(numba.njit(_added), ARRAYS, file)
    assert code.entry(*ARRAYS) == -1
    return file, ARRAYS[2].tobytes()


def test_code_gives_the_same_from_the_disk(kept):
    file, wanted = kept
    ARRAYS[2][:] = 0
    code = native_code.load(file)
    assert code.entry(*ARRAYS) == -1
    assert ARRAYS[2].tobytes() == wanted
    assert code.address
    with pytest.raises(TypeError):
        code.entry(1, 2, 3)


def test_a_file_that_was_cut_or_damaged_is_not_loaded(kept, tmp_path):
    whole = kept[0].read_bytes()
    file = tmp_path / "cut.nbc"
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        file.chmod(0o600)
        assert native_code.load(file) is None
    assert native_code.load(tmp_path / "missing") is None
    assert native_code.load(None) is None


@pytest.mark.parametrize(
    "change", [{"names": ["tinygrad_mnist_nothing"]}, {"calls": {"a loop": "no file"}}]
)
def test_code_that_names_what_is_not_there_is_not_loaded(change, kept, tmp_path):
    head, code, _ = native_code.read(kept[0])
    file = tmp_path / "other.nbc"
    assert native_code.keep(file, head, code)
    assert native_code.load(file)
    assert native_code.keep(file, head._replace(**change), code)
    assert native_code.load(file) is None


def test_arrays_of_other_kinds_have_other_code():
    x = np.ones((3, 4))
    fixed = x.copy()
    fixed.flags.writeable = False
    unaligned = np.frombuffer(bytes(97), np.uint8)[1:].view(np.float64).reshape(3, 4)
    several = [x, x[0], x.T, x[:, ::2], x.astype(np.float32), fixed, unaligned, 1, 1.0, (x,)]
    assert len({native_code.kinds([each]) for each in several}) == len(several)
    assert native_code.kinds([x], less=1) == native_code.kinds([x[0]])
    assert native_code.kinds([x[:2]]) == native_code.kinds([x])


STEP = """
import sys
import tinygrad_mnist as torch

weights = torch.arange(12.0).reshape(4, 3) / 10

@torch.compile
def step(x):
    weights.add_(x.T @ torch.exp(x @ weights), alpha=-0.01)
    return weights.sum()

for _ in range(3):
    loss = step(torch.arange(8.0).reshape(2, 4) / 10)
print(repr(loss.item()), step.stats.loops, sorted({"numba", "scipy"} & set(sys.modules)))
"""


def test_processes_that_compile_at_once_leave_code_for_the_next(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    several = [
        subprocess.Popen([sys.executable, "-c", STEP], stdout=subprocess.PIPE, text=True,
                         env={**os.environ, **environment})
        for _ in range(2)
    ]  # fmt: skip
    told = [each.communicate()[0] for each in several]
    assert told[0] == told[1]
    loss, _, _ = told[0].partition(" [")
    assert run(STEP, **environment)[0] == f"{loss} []\n"
