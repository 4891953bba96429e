"""A compiled step's memory stays with the process between calls."""

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource
import tinygrad_mnist as torch

@torch.compile
def step(x):
    return ((x @ x) @ x).sum()

x = torch.ones(512, 512)
for _ in range(5):
    step(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    step(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults, as Linux does")
def test_temporaries_are_not_fetched_anew_at_each_call(tmp_path):
    surroundings = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    for _ in range(2):  # the first compiles, which leaves memory of its own behind
        done = subprocess.run(
            [sys.executable, "-c", FAULTS],
            env=surroundings, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert int(done.stdout) < 1000
