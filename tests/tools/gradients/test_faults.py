"""Every seeded fault is found in every framework, and named rightly."""

import numpy as np
import pytest

from tests.tools.gradients.faults import FAULTS, FRAMEWORKS, SUMS_ITSELF, said
from tinygrad_mnist.tools import frameworks


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str, framework: str, dtype: type) -> None:
    if missing := frameworks.known()[framework].missing():
        pytest.skip(missing)
    report = said(name, framework, dtype)
    right = name == "bias not summed" and framework in SUMS_ITSELF
    assert report.pattern == (None if right else FAULTS[name].name), str(report)
