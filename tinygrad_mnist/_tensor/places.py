"""Where tensors live: this engine computes on the CPU, and says so when asked for more."""

from __future__ import annotations

from typing import Any

_KINDS = ("cpu", "cuda", "mps", "meta", "xpu")


class device:
    """A place for tensors, by name: "cpu", "cuda:0", … Only "cpu" can hold any here.

    Raises RuntimeError for a name that PyTorch does not know.

    >>> import tinygrad_mnist as torch
    >>> torch.device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type
        elif not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, not {type.__class__.__name__}")
        name, colon, number = type.partition(":")
        if name not in _KINDS:
            raise RuntimeError(
                f"Expected one of {', '.join(_KINDS)} device type at start of device string: {name}"
            )
        if colon and not number.isdigit():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.type = name
        self.index = int(number) if colon else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, device) and (self.type, self.index) == (other.type, other.index)
        )

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


CPU = device("cpu")


def check_device(place: Any) -> None:
    """NotImplementedError with the way round unless `place` is the CPU (or None)."""
    if place is not None and device(place).type != "cpu":
        raise NotImplementedError(
            f"tensors cannot be put on '{place}': this engine computes on the CPU. Write "
            "device = 'cuda' if torch.cuda.is_available() else 'cpu', or run the PyTorch "
            "reference path for a GPU."
        )
