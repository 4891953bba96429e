"""How many threads BLAS may use."""

from __future__ import annotations

import os
from typing import Any

_limits: Any = None
_number: int | None = None
"""What `set_num_threads` was last told."""


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


def limit_again() -> None:
    """Hold a BLAS that was loaded since to the number that `set_num_threads` was told."""
    if _number is not None:
        set_num_threads(_number)
