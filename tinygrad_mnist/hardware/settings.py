"""How many threads compute, and settings by which PyTorch trades exactness for speed: in vain."""

from __future__ import annotations

import os
import warnings
from typing import Any

from tinygrad_mnist.kernels import team

_limits: Any = None
_number: int | None = None
"""What `set_num_threads` was last told."""
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
    if precision not in ("highest", "high", "medium"):
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


def get_num_threads() -> int:
    """The number of threads that products of large matrices use."""
    from threadpoolctl import threadpool_info

    counts = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(counts, default=os.cpu_count() or 1)


def set_num_threads(number: int) -> None:
    """Let products of large matrices use at most `number` threads.

    Raises RuntimeError unless `number` is a positive int.
    """
    global _limits, _number
    from threadpoolctl import threadpool_limits

    if not isinstance(number, int) or isinstance(number, bool):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if number <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _limits = threadpool_limits(number, user_api="blas")
    _number = number
    team.resize(number)


def limit_again() -> None:
    """Hold a BLAS that was loaded since to the number that `set_num_threads` was told."""
    if _number is not None:
        set_num_threads(_number)


def set_num_interop_threads(number: int) -> None:
    """Nothing: operations run one after the other.

    Raises RuntimeError unless `number` is positive.
    """
    if number <= 0:
        raise RuntimeError("Expected positive number of threads")


def get_num_interop_threads() -> int:
    """How many operations run at the same time: 1."""
    return 1
