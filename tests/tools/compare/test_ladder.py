"""Rungs of the tutorial's ladder on both engines, by `compare`."""

from pathlib import Path

import numpy as np
import pytest

from tinygrad_mnist.app.datasets import mnist
from tinygrad_mnist.tools.compare import compare_script

LADDER = Path(__file__).resolve().parents[3] / "reference" / "ladder"
STEPS = 40


@pytest.fixture(scope="module")
def digits(mnist_directory, tmp_path_factory):
    """The first digits of MNIST, in the form that the rungs read."""
    found = mnist.load_pickle(mnist_directory / "mnist.pkl.gz")
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    parts = {"train": found.train, "valid": found.valid}
    arrays = {
        f"{axis}_{name}": array[: 64 * STEPS]
        for name, pair in parts.items()
        for axis, array in zip("xy", pair, strict=True)
    }
    np.savez(file, **arrays)
    return file


@pytest.mark.parametrize(
    ("rung", "lockstep"), [("rung01_tensors_by_hand", False), ("rung10_cnn", True)]
)
def test_a_rung_is_equal_on_both_engines(rung, lockstep, digits):
    report = compare_script(
        LADDER / f"{rung}.py", ["--data", str(digits), "--epochs", "1"], lockstep=lockstep
    )
    assert report.sides[0].error is None, report.sides[0].stderr
    assert report.equal
    assert len(report.steps) == STEPS
    assert report.texts.lines[0] > 0
    assert 0 < max(series.worst[1].ulp for series in report.gradients.values()) < 500
