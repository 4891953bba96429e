"""Testing gradients: against finite differences, and against PyTorch."""

from .finite_differences import GradcheckError, gradcheck, gradgradcheck
from .parity import Comparison, ParityError, assert_parity, compare
from .ulp import ulp_difference

__all__ = [
    "Comparison",
    "GradcheckError",
    "ParityError",
    "assert_parity",
    "compare",
    "gradcheck",
    "gradgradcheck",
    "ulp_difference",
]
