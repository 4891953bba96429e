"""Testing: values against values, gradients against finite differences and PyTorch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tinygrad_mnist.autograd.finite_differences import GradcheckError, gradcheck, gradgradcheck
from tinygrad_mnist.tools.parity.parity import Comparison, ParityError, assert_parity, compare
from tinygrad_mnist.tools.parity.ulp import ulp_difference

from .close import assert_close

if TYPE_CHECKING:
    from tinygrad_mnist.tools.gradients.check import check_gradients
    from tinygrad_mnist.tools.gradients.report import GradientError, GradientReport

    from .plugin import parametrize_frameworks

__all__ = [
    "Comparison", "GradcheckError", "GradientError", "GradientReport", "ParityError",
    "assert_close", "assert_parity", "check_gradients", "compare", "gradcheck", "gradgradcheck",
    "parametrize_frameworks", "ulp_difference",
]  # fmt: skip
_LATER = {
    "check_gradients": "tools.gradients.check",
    "GradientError": "tools.gradients.report",
    "GradientReport": "tools.gradients.report",
    "parametrize_frameworks": "testing.plugin",
}
"""Where these are; pytest loads this package at every start, but seldom them."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"tinygrad_mnist.{_LATER[name]}")
    return getattr(home, name)
