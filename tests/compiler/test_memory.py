"""A compiled step's memory stays with the process between calls."""

import subprocess
import sys

import pytest

import tinygrad_mnist as torch

FAULTS = """
import resource
import tinygrad_mnist as torch

@torch.compile
def step(x):
    return {function}

x = torch.ones({shape})
for _ in range(5):
    step(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({calls}):
    step(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults, as Linux does")
@pytest.mark.parametrize(
    "program",
    [
        {"function": "((x @ x) @ x).sum()", "shape": "512, 512", "calls": 50},
        {"function": "x.cumsum(0).cumsum(1).sum()", "shape": "10_000, 1_000", "calls": 3},
    ],
    ids=["1 MiB", "38 MiB"],
)
def test_temporaries_are_not_fetched_anew_at_each_call(program):
    code = FAULTS.format(**program)
    for _ in range(2):  # the first compiles, which leaves memory of its own behind
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                              check=True)  # fmt: skip
    assert int(done.stdout) < 1000


def twice(x, w):
    """A product, and its double, which may be written where the product lies."""
    return ((x @ w) * 2) @ w


def twice_and_more(x, w):
    """The product is read again after its double is there."""
    product = x @ w
    double = product * 2
    return double @ w + (double + product) @ w


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("function", "in_place"), [(twice, True), (twice_and_more, False)])
def test_a_loop_writes_in_place_what_it_has_read(function, in_place):
    torch.manual_seed(0)
    x, w = torch.randn(6, 4), torch.randn(4, 4)
    step = torch.compile(function)
    for _ in range(2):
        found = step(x, w)
    assert torch.allclose(found, function(x, w))
    assert ("v2_all = v1_all" in step.source) == in_place
