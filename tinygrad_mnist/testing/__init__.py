"""Testing: values against values, gradients against finite differences and PyTorch."""

from tinygrad_mnist.autograd.finite_differences import GradcheckError, gradcheck, gradgradcheck
from tinygrad_mnist.tools.gradients.check import check_gradients
from tinygrad_mnist.tools.gradients.report import GradientError, GradientReport
from tinygrad_mnist.tools.parity.parity import Comparison, ParityError, assert_parity, compare
from tinygrad_mnist.tools.parity.ulp import ulp_difference

from .close import assert_close

__all__ = [
    "Comparison", "GradcheckError", "GradientError", "GradientReport", "ParityError",
    "assert_close", "assert_parity", "check_gradients", "compare", "gradcheck", "gradgradcheck",
    "ulp_difference",
]  # fmt: skip
