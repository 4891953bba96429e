"""Right functions are not called wrong."""

from typing import Any

import numpy as np
import pytest

from tests.tools.gradients.correct import FRAMEWORKS, of_framework
from tinygrad_mnist.testing import check_gradients
from tinygrad_mnist.tools import frameworks

CASES = [
    pytest.param(framework, name, function, inputs, id=f"{framework}-{name}")
    for framework in ("numpy", *FRAMEWORKS)
    if not frameworks.known()[framework].missing()
    for name, function, inputs in of_framework(framework)
]


@pytest.mark.parametrize(("framework", "name", "function", "inputs"), CASES)
def test_no_false_alarm(framework: str, name: str, function: Any, inputs: list[np.ndarray]) -> None:
    # In float32 the formula is checked in float64 as well.
    for dtype in (np.float32,) if framework == "torch" else (np.float32, np.float64):
        given = [each.astype(dtype) for each in inputs]
        report = check_gradients(function, *given, framework=framework, raises=False, shrink=False)
        assert report.ok, str(report)
        assert not report.undecided
