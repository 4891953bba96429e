"""Long programs: their loops are functions, alike ones one, and Python calls them."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler import steps
from tests.compiler.conftest import as_code
from tests.compiler.test_steps import assert_same_training, batches
from tinygrad_mnist import nn
from tinygrad_mnist.compiler import build, native
from tinygrad_mnist.compiler.codegen.parts import APART, in_parts

TEXT = """\
def step(x, y, numbers, out0):
    n1 = np.float32(numbers[0])
    for i0 in range(64):
        place = y[i0]
        if place < 0 or place >= 5:
            return 0
    v1_all = np.empty((64, 5), np.float32)
    for i in range(64):
        for j in range(5):
            v1 = x[i, j] * n1
            v1_all[i, j] = v1
    v2_sum = 0.0
    v2_l = v1_all.reshape(320)
    for i in range(320):
        v2_sum = scalars.add(v2_sum, v2_l[i])
    v3_all = np.empty((96, 5), np.float32)
    for i in range(96):
        for j in range(5):
            v3 = v4_all[i, j] * n2
            v3_all[i, j] = v3
    out0[...] = v2_sum
    return -1"""

STEP = """\
def step(x, y, numbers, out0):
    n1, = numbers[[0]].astype(np.float32)
    if not loop0(y, 64):
        return 0
    v1_all = np.empty((64, 5), np.float32)
    loop1(x, n1, v1_all, 64)
    v2_sum = 0.0
    v2_l = v1_all.reshape(320)
    v2_sum = loop2(v2_sum, v2_l, 320)
    v3_all = np.empty((96, 5), np.float32)
    loop1(v4_all, n2, v3_all, 96)
    out0[...] = v2_sum
    return -1"""

SUM = """\
def loop(a0, a1, count):
    for a2 in range(count):
        a0 = scalars.add(a0, a1[a2])
    return a0"""


def test_loops_that_are_alike_become_one_function():
    parts = in_parts(TEXT)
    assert parts.step == STEP
    assert (len(parts.functions), parts.calls) == (3, 4)
    assert parts.functions["loop2"] == SUM


OVERLAPS = {
    "what is allocated": ("b = np.empty(64)", "b[i] = a[i]", True),
    "what is given from outside": ("b = c", "b[i] = a[i]", False),
    "a view of what is read": ("b = a.reshape((8, 8))", "b[0, i] = a[i]", False),
    "the same by another name": ("b = a", "b[i] = a[i] + 1", True),
    "two views of what is allocated": (
        "d = np.empty(64)\n    b = d.reshape((8, 8))\n    e = d.reshape((4, 16))",
        "b[0, i] = e[0, i]", False),
    "a part that is written by a view of its own": (
        "b = np.empty((2, 64))", "piece = b[0, 1:]\n        piece[i] = a[i]", False),
    "nothing": ("b = np.empty(64)", "s = a[i] + b[i]", False),
}  # fmt: skip


@pytest.mark.parametrize("case", OVERLAPS)
def test_llvm_is_told_that_arrays_are_apart_only_where_they_are(case):
    before, inside, apart = OVERLAPS[case]
    text = f"""\
def step(a, c, numbers, out0):
    {before}
    for i in range(64):
        {inside}
    return -1"""
    (function,) = in_parts(text).functions.values()
    assert (APART in function) is apart


def test_heads_of_attention_are_read_where_they_lie():
    x, weight = torch.rand(2, 8, 12), torch.rand(36, 12)

    @torch.compile
    def attention(x, weight):
        parts = torch.nn.functional.linear(x, weight).split(12, -1)
        q, k, v = (part.view(2, 8, 3, 4).transpose(1, 2) for part in parts)
        heads = (q @ k.transpose(2, 3)).softmax(-1) @ v
        return heads.transpose(1, 2).reshape(2, 8, 12)

    found = attention(x, weight)
    assert attention.source.count("products.batch(") == 2
    assert "ascontiguousarray" not in attention.source
    np.testing.assert_allclose(found, attention.__wrapped__(x, weight), rtol=1e-5)


@pytest.fixture
def parts(plain, monkeypatch):
    """As `plain`, each loop a function."""
    load = build.load

    def load_in_parts(text, fastmath):
        found = in_parts(text)
        names = load(found.step, fastmath).code(()).entry.__closure__[0].cell_contents
        for name, function in found.functions.items():
            inner = dict(names)
            exec(function, inner)
            names[name] = inner["loop"]
        return as_code(lambda *arrays: names["step"](*arrays))

    monkeypatch.setattr(build, "load", load_in_parts)


@pytest.mark.usefixtures("parts")
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize(
    ("make", "sizes"),
    [(steps.attentive, (6, 12, 5)), (steps.looked_up, (6, 3, 5)), (steps.clipped, (6, 12, 5))],
    ids=["attentive", "looked up", "clipped"],
)
def test_steps_of_functions(make, sizes):
    assert_same_training(make, batches(3, *sizes))


def test_layers_that_are_alike_are_compiled_once(monkeypatch, capsys):
    monkeypatch.setattr(native, "_LONG", 20)
    monkeypatch.setattr(native.cache_folder, "for_code", lambda *names: None)
    layers = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    x = torch.rand(40, 6)

    def step(x):
        return torch.tanh(layers(x)).sum()

    compiled = torch.compile(step)
    with torch.no_grad():
        found, wanted = compiled(x), step(x)
    torch.testing.assert_close(found, wanted)
    assert type(compiled._current().built.function) is native.InParts
    said = capsys.readouterr().err
    assert said.count("compiling a program of 3 loops once, 2 of them different") == 1
    assert compiled.stats.compile_seconds > 0.1
