"""Testing: values against values, gradients against finite differences and PyTorch."""

from tinygrad_mnist.autograd.finite_differences import GradcheckError, gradcheck, gradgradcheck
from tinygrad_mnist.tools.parity.parity import Comparison, ParityError, assert_parity, compare
from tinygrad_mnist.tools.parity.ulp import ulp_difference

from .close import assert_close

__all__ = [
    "Comparison", "GradcheckError", "ParityError", "assert_close", "assert_parity", "compare",
    "gradcheck", "gradgradcheck", "ulp_difference",
]  # fmt: skip
