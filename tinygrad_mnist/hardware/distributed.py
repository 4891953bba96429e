"""PyTorch's package for many processes: its questions are answered, and it is not there.

Scripts that use it only when they were started so can import its names.

>>> torch.distributed.is_available()
False
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from . import is_available as is_available

is_initialized = is_torchelastic_launched = is_available
is_gloo_available = is_mpi_available = is_nccl_available = is_available

ReduceOp = Enum("ReduceOp", ["SUM", "AVG", "PRODUCT", "MIN", "MAX"])

_REFUSED = frozenset(
    ("all_gather", "all_reduce", "barrier", "broadcast", "destroy_process_group", "gather",
     "get_backend", "get_default_backend_for_device", "get_rank", "get_world_size",
     "init_process_group", "new_group", "recv", "reduce", "scatter", "send")
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _REFUSED:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")

    def refused(*arguments: Any, **named: Any) -> Any:
        raise ValueError(
            f"torch.distributed.{name}: Default process group has not been initialized, and cannot "
            "be here: train in one process. torch.distributed.is_available() says so."
        )

    refused.__name__ = refused.__qualname__ = name
    return refused
