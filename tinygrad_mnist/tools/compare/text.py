"""What two engines printed, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Texts", "compare_texts"]

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w])")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_DEVICE = re.compile(r",\s+device='cuda:\d+'")
_SUFFIX = re.compile(r",\n +(?=(?:dtype|grad_fn|layout|requires_grad|size)=)")
_GPU = re.compile(r"\bcuda(?::\d+\b|(')(?:, index=\d+)|\b)")
_CLASS = re.compile(r"<class '(?:torch|tinygrad_mnist)(?:\.\w+)*\.(\w+)'>")


@dataclass(frozen=True)
class Texts:
    """Two texts compared."""

    lines: tuple[int, int]
    """How many lines PyTorch printed, and how many tinygrad_mnist."""
    rounded: tuple[int, ...]
    """Numbers of the lines that differ in the last digit that numbers show, and in nothing else."""
    different: tuple[int, ...]
    """Numbers of the lines that differ in more than that."""
    first: tuple[int, str, str] | None
    """The first line that differs in any way, on both engines."""

    @property
    def equal(self) -> bool:
        """Whether the texts are the same, but for the last digits of numbers."""
        return not self.different


def compare_texts(theirs: str, ours: str, gpu: bool = False) -> Texts:
    r"""Compare what was printed. Addresses of objects, and the files of classes, do not count.

    Where PyTorch had a `gpu`, neither does its name, nor where it moved the end of a tensor to.

    >>> compare_texts("loss 0.3120\n", "loss 0.3121\n").rounded
    (1,)
    >>> compare_texts("tensor([1.], device='cuda:0')", "tensor([1.])", gpu=True).equal
    True
    """
    if gpu:
        theirs, ours = _on_the_cpu(theirs), _on_the_cpu(ours)
    a, b = theirs.splitlines(), ours.splitlines()
    rounded: list[int] = []
    different: list[int] = []
    first: tuple[int, str, str] | None = None
    for number in range(1, max(len(a), len(b)) + 1):
        pair = [lines[number - 1] if number <= len(lines) else "(nothing)" for lines in (a, b)]
        one, other = (_CLASS.sub(r"<class \1>", _ADDRESS.sub("0x", line)) for line in pair)
        if one == other and number <= min(len(a), len(b)):
            continue
        (rounded if _same_but_last_digits(one, other) else different).append(number)
        if first is None:
            first = (number, pair[0], pair[1])
    return Texts((len(a), len(b)), tuple(rounded), tuple(different), first)


def _on_the_cpu(text: str) -> str:
    """The text with tensors on one line where only what follows their numbers made it two."""
    return _GPU.sub(r"cpu\1", _SUFFIX.sub(", ", _DEVICE.sub("", text)))


def _same_but_last_digits(one: str, other: str) -> bool:
    if _NUMBER.sub("#", one).split() != _NUMBER.sub("#", other).split():
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(a == b or _close(a, b) for a, b in pairs)


def _close(a: str, b: str) -> bool:
    """Whether two numbers with decimals differ by no more than one in the last place shown."""
    if not any(mark in a + b for mark in ".eE"):
        return False
    unit = max(_last_place(a), _last_place(b))
    return abs(float(a) - float(b)) <= 1.001 * unit


def _last_place(number: str) -> float:
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(10.0 ** (int(exponent or 0) - decimals))
