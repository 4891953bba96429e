"""PyTorch's questions about any accelerator, answered: there is none here."""

from __future__ import annotations

from tinygrad_mnist.engine.device import check_device, device


def is_available() -> bool:
    """Whether there is an accelerator: no."""
    return False


def device_count() -> int:
    """The number of accelerators: 0."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """The device to prefer to the CPU: None."""
    return None


def synchronize(device: device | str | int | None = None) -> None:
    """Refused: there is no accelerator to wait for."""
    check_device("cuda")
