"""Right functions are not called wrong."""

from typing import Any

import numpy as np
import pytest

from tests.tools.gradients.correct import FRAMEWORKS, PAIRS, inputs_of, of_framework
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


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("part", [1e-2, 1e-5])
@pytest.mark.parametrize("name", PAIRS)
def test_one_element_that_is_off_is_found(name: str, part: float, dtype: type) -> None:
    (forward, backward), shapes = PAIRS[name]
    inputs = [each.astype(dtype) for each in inputs_of(shapes, False, 1.0)]

    def off(g: np.ndarray, *x: np.ndarray) -> list[np.ndarray]:
        found = backward(g, *x)
        gradients = [np.array(each) for each in (found if isinstance(found, tuple) else [found])]
        largest = np.unravel_index(np.argmax(np.abs(gradients[0])), gradients[0].shape)
        gradients[0][largest] *= 1 + part
        return gradients

    report = check_gradients((forward, off), *inputs, raises=False, shrink=False)
    assert [each.input for each in report.findings] == [0]
    assert report.findings[0].wrong == 1
