"""Rungs of the tutorial's ladder on both engines, by `compare`."""

import pytest

from tests.reference.climbing import LADDER, save_digits
from tinygrad_mnist.tools.compare import compare_script

STEPS = 25


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A file of digits, in the form that the rungs read."""
    file = tmp_path_factory.mktemp("digits") / "digits.npz"
    save_digits(file, 64 * STEPS)
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
