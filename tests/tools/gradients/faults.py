"""Seeded faults, each once, in every framework: a table of what is said about them.

python -m tests.tools.gradients.faults
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.testing import check_gradients
from tinygrad_mnist.tools import frameworks

__all__ = ["FAULTS", "FRAMEWORKS", "SUMS_ITSELF", "Fault", "function_of", "said"]

FRAMEWORKS = ("numpy", "torch", "jax", "autograd", "tinygrad_mnist")
SUMS_ITSELF = ("torch", "tinygrad_mnist")
"""Where the engine sums what a Function gives to the shape of its input."""


@dataclass(frozen=True)
class Fault:
    """A function, a wrong backward of it, and the name that the fault must get.

    Both take the module of arrays first, `numpy` or another with its names; the backward then the
    gradient from above and the inputs, and gives a gradient for each of these.
    """

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., tuple[Any, ...]]
    shapes: tuple[tuple[int, ...], ...]
    positive: bool = False

    def inputs(self, dtype: type = np.float64) -> list[np.ndarray]:
        """Random inputs of its shapes."""
        random = np.random.default_rng(1)
        drawn = [random.normal(size=shape) for shape in self.shapes]
        return [(np.abs(each) + 0.5 if self.positive else each).astype(dtype) for each in drawn]


def _softmax(xp: Any, x: Any) -> Any:
    numbers = xp.exp(x)
    return numbers / numbers.sum(1)[:, None]


class _Stale:
    """A backward that keeps the first input that it sees."""

    def __init__(self) -> None:
        self.kept: Any = None

    def __call__(self, xp: Any, g: Any, x: Any) -> tuple[Any, ...]:
        if self.kept is None:
            self.kept = x
        return (3 * g * self.kept * self.kept,)


def _redrawn(xp: Any, g: Any, x: Any) -> tuple[Any, ...]:
    return (g * float(np.random.random()),)


def _flipped_sign(xp: Any, g: Any, x: Any, y: Any) -> tuple[Any, ...]:
    return g, g


FAULTS = {
    "matrix transposed": Fault(
        "transposed", lambda xp, x, w: x @ w,
        lambda xp, g, x, w: (g @ w.T, (x.T @ g).T), ((5, 3), (3, 3))),
    "sign": Fault("sign", lambda xp, x, y: x - y, _flipped_sign, ((4, 3), (4, 3))),
    "mean over the batch": Fault(
        "factor", lambda xp, x, w: x @ w,
        lambda xp, g, x, w: (g @ w.T, x.T @ g / 5), ((5, 3), (3, 2))),
    "factor of two": Fault(
        "factor", lambda xp, x: x * x, lambda xp, g, x: (g * x,), ((4, 3),)),
    "bias of one row": Fault(
        "not summed over a broadcast axis", lambda xp, x, b: x * 2 + b,
        lambda xp, g, x, b: (2 * g, g[0] * 1), ((5, 3), (3,))),
    "off by one": Fault(
        "off by one", lambda xp, x: xp.exp(x), lambda xp, g, x: (xp.roll(g * xp.exp(x), 1, 0),),
        ((6, 2),)),
    "softmax by its diagonal": Fault(
        "only the diagonal", _softmax,
        lambda xp, g, x: (g * _softmax(xp, x) * (1 - _softmax(xp, x)),), ((4, 5),)),
    "weight detached": Fault(
        "detached", lambda xp, x, w: x * w, lambda xp, g, x, w: (g * w, w * 0),
        ((4, 3), (4, 3))),
    "mean detached": Fault(
        "partly detached", lambda xp, x: x - x.mean(1)[:, None], lambda xp, g, x: (g * 1,),
        ((4, 5),)),
    "gate detached": Fault(
        "partly detached", lambda xp, x: x / (1 + xp.exp(-x)),
        lambda xp, g, x: (g / (1 + xp.exp(-x)),), ((4, 3),)),
    "first input kept": Fault("stale", lambda xp, x: x * x * x, _Stale(), ((4, 3),)),
    "mask ignored": Fault(
        "mask ignored", lambda xp, x: xp.where(x > 0, x, x * 0), lambda xp, g, x: (g * 1,),
        ((4, 3),)),
    "masked where it flows": Fault(
        "mask ignored", lambda xp, x: xp.where(x > 0, x, 2 * x),
        lambda xp, g, x: (xp.where(x > 0, g, g * 0),), ((4, 3),)),
    "noise drawn again": Fault(
        "nondeterministic", lambda xp, x: x * 0.5, _redrawn, ((4, 3),)),
    "not a number": Fault(
        "not a number", lambda xp, x: x * x,
        lambda xp, g, x: (2 * g * x + xp.where(x > 0, x * 0, x * float("nan")),), ((4, 3),)),
    "bias not summed": Fault(
        "not summed over a broadcast axis", lambda xp, x, b: x * 2 + b,
        lambda xp, g, x, b: (2 * g, g * 1), ((5, 3), (3,))),
}  # fmt: skip


def function_of(fault: Fault, framework: str) -> Any:
    """The function with its wrong backward, as it is written in a framework."""
    if framework == "numpy":
        return (
            lambda *x: fault.forward(np, *x),
            lambda g, *x: fault.backward(np, g, *x),
        )
    if framework in ("torch", "tinygrad_mnist"):
        return _torchlike(fault, importlib.import_module(framework))
    return _jax(fault) if framework == "jax" else _autograd(fault)


def _torchlike(fault: Fault, torch: Any) -> Any:
    class Seeded(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *x: Any) -> Any:
            ctx.save_for_backward(*x)
            return fault.forward(torch, *x)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return fault.backward(torch, g, *ctx.saved_tensors)

    return lambda *x: Seeded.apply(*x)


def _jax(fault: Fault) -> Any:
    jax = importlib.import_module("jax")

    def forward(*x: Any) -> Any:
        return fault.forward(jax.numpy, *x)

    seeded = jax.custom_vjp(forward)
    seeded.defvjp(lambda *x: (forward(*x), x), lambda kept, g: fault.backward(jax.numpy, g, *kept))
    return seeded


def _autograd(fault: Fault) -> Any:
    extend = importlib.import_module("autograd.extend")

    @extend.primitive
    def seeded(*x: Any) -> Any:
        return fault.forward(np, *x)

    def rule(place: int) -> Any:
        return lambda ans, *x: lambda g: fault.backward(np, g, *x)[place]

    extend.defvjp(seeded, *[rule(place) for place in range(len(fault.shapes))])
    return seeded


def said(name: str, framework: str, dtype: type = np.float64, shrink: bool = False) -> Any:
    """The report on one fault in one framework."""
    fault = FAULTS[name]
    if isinstance(fault.backward, _Stale):
        fault.backward.kept = None
    return check_gradients(
        function_of(fault, framework), *fault.inputs(dtype), framework=framework, raises=False,
        shrink=shrink,
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    installed = [name for name in FRAMEWORKS if not frameworks.known()[name].missing()]
    print("| fault | " + " | ".join(installed) + " |\n|---|" + "---|" * len(installed))
    for name, fault in FAULTS.items():
        cells = []
        for framework in installed:
            found = said(name, framework).pattern
            if name == "bias not summed" and framework in SUMS_ITSELF:
                cells.append("right: the engine sums" if found is None else f"**{found}**")
            else:
                cells.append(f"{found}" if found == fault.name else f"**{found}**")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
