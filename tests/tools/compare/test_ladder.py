"""Rungs of the tutorial's ladder on both engines, by `compare`."""

import gzip

import numpy as np
import pytest

from tests.reference.climbing import LADDER
from tinygrad_mnist.app.datasets import reading
from tinygrad_mnist.tools.compare import compare_script

STEPS = 25


@pytest.fixture(scope="module")
def digits(mnist_directory, tmp_path_factory):
    """Digits of MNIST, of its smaller file, in the form that the rungs read."""
    packed = (mnist_directory / f"t10k-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1"))
    images, labels = (reading.from_idx(gzip.decompress(each.read_bytes()), "") for each in packed)
    x, y = images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)
    file, rows = tmp_path_factory.mktemp("digits") / "digits.npz", 64 * STEPS
    np.savez(
        file, x_train=x[:rows], y_train=y[:rows], x_valid=x[rows:][:rows], y_valid=y[rows:][:rows]
    )
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
