"""Settings by which PyTorch trades exactness for speed; here there is nothing to trade."""

from __future__ import annotations

import warnings

__all__ = [
    "are_deterministic_algorithms_enabled", "get_float32_matmul_precision",
    "get_num_interop_threads", "set_float32_matmul_precision", "set_num_interop_threads",
    "use_deterministic_algorithms",
]  # fmt: skip

_PRECISIONS = ("highest", "high", "medium")
_set = {"deterministic": False, "precision": "highest"}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same bits in every run; this engine gives them anyway."""
    _set["deterministic"] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What was asked of `use_deterministic_algorithms`."""
    return bool(_set["deterministic"])


def set_float32_matmul_precision(precision: str) -> None:
    """Allow less than float32 inside products of matrices; this engine never makes use of it.

    Warns of a precision other than "highest", "high" and "medium".
    """
    if precision not in _PRECISIONS:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current"
            "setFloat32MatmulPrecision call has no effect.",
            UserWarning,
            stacklevel=2,
        )
        return
    _set["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What was asked of `set_float32_matmul_precision`."""
    return str(_set["precision"])


def set_num_interop_threads(number: int) -> None:
    """Nothing: operations run one after the other.

    Raises RuntimeError unless `number` is positive.
    """
    if number <= 0:
        raise RuntimeError("Expected positive number of threads")


def get_num_interop_threads() -> int:
    """How many operations run at the same time: 1."""
    return 1
