"""Where tensors live: this engine computes on the CPU, and says so when asked for more."""

from __future__ import annotations

from typing import Any

_KINDS = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia",
    "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class _Reading:
    """How this process reads the names of devices."""

    cuda_as_cpu = False
    """Whether "cuda", and a number, mean the CPU."""


reading = _Reading()


class device:
    """A place for tensors, by name: "cpu", "cuda:0", … Only "cpu" can hold any here.

    In a `with` block, where tensors are made. Raises RuntimeError for a name that PyTorch does not
    know, NotImplementedError for a `with` block on another device than the CPU.

    >>> torch.device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: Any = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int) and reading.cuda_as_cpu:
            type = "cuda"
        elif isinstance(type, int):
            raise RuntimeError("Cannot access accelerator device when none is available.")
        elif not isinstance(type, str):
            raise TypeError(
                f"device(): argument 'type' (position 1) must be str, not {type.__class__.__name__}"
            )
        if index is not None and not isinstance(index, int):
            raise TypeError(
                "device(): argument 'index' (position 2) must be int, "
                f"not {index.__class__.__name__}"
            )
        self.type, number = _read_name(type)
        self.index = index if number is None else number
        if reading.cuda_as_cpu and self.type == "cuda":
            self.type, self.index = "cpu", None

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        check_device(self)
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing changed: tensors are made on the CPU in any case."""


def _read_name(text: str) -> tuple[str, int | None]:
    """The kind and the number in a name such as "cuda:1"."""
    if not text:
        raise RuntimeError("Device string must not be empty")
    name, colon, number = text.partition(":")
    if (colon and not number.isdigit()) or not name.isalpha():
        raise RuntimeError(f"Invalid device string: '{text}'")
    if name not in _KINDS:
        raise RuntimeError(
            f"Expected one of {', '.join(_KINDS)} device type at start of device string: {name}"
        )
    return name, int(number) if colon else None


CPU = device("cpu")


def check_device(place: Any) -> None:
    """AssertionError, as PyTorch without CUDA, unless `place` is the CPU (or None)."""
    if place is not None and place is not CPU and (kind := device(place).type) != "cpu":
        error: type[Exception] = NotImplementedError
        start = ""
        if kind == "cuda":
            error, start = AssertionError, "Torch not compiled with CUDA enabled: "
        raise error(
            f"{start}tensors cannot be put on '{place}': this engine computes on the CPU. Write "
            "device = 'cuda' if torch.cuda.is_available() else 'cpu', or leave the script as it is "
            "and start it with tinygrad-mnist run --device cpu, which reads 'cuda' as the CPU."
        )
