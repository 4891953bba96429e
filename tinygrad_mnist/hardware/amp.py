"""Mixed precision: there is one precision here, so scripts that can do without it go on."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, TypeVar

from tinygrad_mnist import dtypes

Outputs = TypeVar("Outputs")


class autocast(contextlib.ContextDecorator):
    """A `with` block, or a decorator, in which PyTorch would compute in half precision.

    As in PyTorch, one for GPUs that are not there warns and does nothing, and so does one with
    `enabled=False`. Raises NotImplementedError for the CPU, where PyTorch would use bfloat16.

    >>> with torch.autocast("cpu", enabled=False):
    ...     torch.ones(1)
    tensor([1.])
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if enabled and device_type == "cpu":
            raise NotImplementedError(
                "autocast on the CPU computes in bfloat16, which is not supported: leave it out, "
                "or give enabled=False"
            )
        if enabled:
            warnings.warn(
                f"{device_type.upper()} is not available. Disabling autocast.", stacklevel=2
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing was changed."""


class GradScaler:
    """Keeps small gradients from vanishing in half precision: here they do not, and it is off.

    Warns, as PyTorch without a GPU does, unless `enabled` is False. What goes through it stays
    as it is.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled:
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not "
                "available.  Disabling.",
                stacklevel=2,
            )

    def scale(self, outputs: Outputs) -> Outputs:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: the gradients were not scaled."""

    def step(self, optimizer: Any, *arguments: Any, **named: Any) -> Any:
        """A step of the optimiser."""
        return optimizer.step(*arguments, **named)

    def update(self, new_scale: Any = None) -> None:
        """Nothing: there is no scale."""

    def get_scale(self) -> float:
        """1: nothing is scaled."""
        return 1.0

    def is_enabled(self) -> bool:
        """No."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing to take over."""
