"""Right functions of many kinds, at several shapes and scales: none of them may be called wrong.

python -m tests.tools.gradients.correct
"""

from __future__ import annotations

import collections
import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.testing import check_gradients
from tinygrad_mnist.tools import frameworks

__all__ = ["CASES", "FRAMEWORKS", "PAIRS", "Case", "inputs_of", "of_framework"]

FRAMEWORKS = ("tinygrad_mnist", "torch", "jax", "autograd")


class Names:
    """What functions are made of, by the same names in every framework."""

    def __init__(self, framework: str) -> None:
        torchlike = framework in ("torch", "tinygrad_mnist")
        module = importlib.import_module(
            {"jax": "jax.numpy", "autograd": "autograd.numpy"}.get(framework, framework)
        )
        self.module, self.torchlike = module, torchlike

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def max(self, x: Any) -> Any:
        """Over the last axis, which stays."""
        return self.module.amax(x, -1, True) if self.torchlike else self._numpy("max", x)

    def total(self, x: Any) -> Any:
        """The sum over the last axis, which stays."""
        return x.sum(-1, keepdim=True) if self.torchlike else self._numpy("sum", x)

    def mean(self, x: Any) -> Any:
        """Over the last axis, which stays."""
        return x.mean(-1, keepdim=True) if self.torchlike else self._numpy("mean", x)

    def sort(self, x: Any) -> Any:
        """Along the last axis."""
        return self.module.sort(x, -1)[0] if self.torchlike else self.module.sort(x, -1)

    def join(self, parts: list[Any]) -> Any:
        """Along the last axis."""
        return self.module.cat(parts, -1) if self.torchlike else self.module.concatenate(parts, -1)

    def _numpy(self, name: str, x: Any) -> Any:
        return getattr(self.module, name)(x, axis=-1, keepdims=True)


def _softmax(m: Any, x: Any) -> Any:
    numbers = m.exp(x - m.max(x))
    return numbers / m.total(numbers)


def _log_softmax(m: Any, x: Any) -> Any:
    moved = x - m.max(x)
    return moved - m.log(m.total(m.exp(moved)))


def _layer_norm(m: Any, x: Any) -> Any:
    moved = x - m.mean(x)
    return moved / m.sqrt(m.mean(moved * moved) + 1e-5)


def _attention(m: Any, q: Any, k: Any, v: Any) -> Any:
    return _softmax(m, q @ k.T / q.shape[-1] ** 0.5) @ v


def _conv(m: Any, x: Any, w: Any) -> Any:
    return m.join([m.total(x[:, i : i + 3] * w) for i in range(x.shape[1] - 2)])


def _recurrent(m: Any, x: Any, w: Any) -> Any:
    state = x[0] * 0
    for step in range(x.shape[0]):
        state = m.tanh(x[step] + w @ state)
    return state


def _gelu(m: Any, x: Any) -> Any:
    return 0.5 * x * (1 + m.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


class Case(NamedTuple):
    """A function of `Names` and inputs, with what inputs it is tried on."""

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((3, 4),)
    positive: bool = False
    scales: tuple[float, ...] = (1.0,)


ALL, SMALL = (1.0, 1e-6, 1e6), (1.0, 1e-4)
CASES = {
    "exp": Case(lambda m, x: m.exp(x), scales=SMALL),
    "log": Case(lambda m, x: m.log(x), positive=True, scales=ALL),
    "sqrt": Case(lambda m, x: m.sqrt(x), positive=True, scales=ALL),
    "reciprocal": Case(lambda m, x: 1 / x, positive=True, scales=ALL),
    "square": Case(lambda m, x: x * x, scales=ALL),
    "cube": Case(lambda m, x: x**3, scales=ALL),
    "sin": Case(lambda m, x: m.sin(3 * x), scales=(1.0, 1e-4, 100.0)),
    "tanh": Case(lambda m, x: m.tanh(x), scales=(1.0, 1e-4, 10.0)),
    "logistic": Case(lambda m, x: 1 / (1 + m.exp(-x)), scales=(1.0, 10.0)),
    "softplus": Case(lambda m, x: m.log(1 + m.exp(x)), scales=(1.0, 5.0)),
    "gelu": Case(_gelu, scales=(1.0, 10.0)),
    "relu": Case(lambda m, x: m.where(x > 0, x, 0 * x), scales=ALL),
    "abs": Case(lambda m, x: m.abs(x), scales=ALL),
    "leaky": Case(lambda m, x: m.where(x > 0, x, 0.1 * x)),
    "power": Case(lambda m, x, y: x**y, ((3, 4), (3, 4)), positive=True),
    "divide": Case(lambda m, x, y: x / y, ((3, 4), (4,)), positive=True, scales=ALL),
    "outer sum": Case(lambda m, x, y: (x + y) ** 2, ((3, 1), (1, 4)), scales=ALL),
    "broadcast product": Case(lambda m, x, y: x * y, ((2, 3, 4), (3, 1)), scales=ALL),
    "scalar": Case(lambda m, x, y: x * y + y, ((3,), ())),
    "polynomial": Case(lambda m, x: 3 * x**4 - 2 * x**2 + x),
    "maximum": Case(lambda m, x, y: m.maximum(x, y), ((5,), (5,)), scales=ALL),
    "sum": Case(lambda m, x: m.total(x), ((3, 40),), scales=ALL),
    "long sum of squares": Case(lambda m, x: m.total(x * x), ((1, 500),)),
    "mean": Case(lambda m, x: m.mean(x), ((2, 30),), scales=ALL),
    "max": Case(lambda m, x: m.max(x), ((4, 5),), scales=ALL),
    "norm": Case(lambda m, x: m.sqrt(m.total(x * x)), ((3, 5),), scales=ALL),
    "cosine": Case(
        lambda m, x, y: m.total(x * y) / m.sqrt(m.total(x * x) * m.total(y * y)),
        ((3, 5), (3, 5)), scales=SMALL),
    "matmul": Case(lambda m, x, w: x @ w, ((5, 4), (4, 3)), scales=ALL),
    "batched matmul": Case(lambda m, x, w: x @ w, ((2, 3, 4), (2, 4, 3))),
    "vector product": Case(lambda m, x, w: x @ w, ((6,), (6,)), scales=ALL),
    "linear and relu": Case(
        lambda m, x, w, b: m.maximum(x @ w + b, 0 * b), ((5, 4), (4, 3), (3,))),
    "mlp": Case(
        lambda m, x, w, v: m.tanh(m.tanh(x @ w) @ v), ((4, 3), (3, 5), (5, 2))),
    "quadratic form": Case(lambda m, x, a: x @ a @ x, ((4,), (4, 4)), scales=ALL),
    "softmax": Case(_softmax, ((3, 6),), scales=(1.0, 1e-4, 20.0)),
    "log_softmax": Case(_log_softmax, ((3, 6),), scales=(1.0, 20.0)),
    "logsumexp": Case(
        lambda m, x: m.max(x) + m.log(m.total(m.exp(x - m.max(x)))), ((3, 6),), scales=(1.0, 20.0)),
    "cross entropy": Case(lambda m, x: -_log_softmax(m, x)[:, 1], ((5, 6),), scales=(1.0, 10.0)),
    "attention": Case(_attention, ((4, 3), (5, 3), (5, 2)), scales=(1.0, 3.0)),
    "layer norm": Case(_layer_norm, ((3, 8),), scales=(1.0, 100.0)),
    "batch norm": Case(lambda m, x: _layer_norm(m, x.T).T, ((8, 3),)),
    "normalised far from zero": Case(
        lambda m, x: (x + 100 - m.mean(x + 100)) / m.sqrt(m.mean(x * x)), ((2, 8),)),
    "variance": Case(lambda m, x: m.mean((x - m.mean(x)) ** 2), ((3, 9),), scales=ALL),
    "rms norm": Case(lambda m, x: x / m.sqrt(m.mean(x * x) + 1e-6), ((3, 8),)),
    "convolution": Case(_conv, ((2, 7), (3,)), scales=ALL),
    "cumulative sum": Case(lambda m, x: m.cumsum(x, 1), ((3, 20),), scales=ALL),
    "sort": Case(lambda m, x: m.sort(x) * m.sort(x), ((8,),), scales=ALL),
    "slice": Case(lambda m, x: x[1:, ::2] * 3, ((4, 5),), scales=ALL),
    "rows twice": Case(lambda m, x: m.join([x, x[:, :2]]) ** 2, ((3, 4),)),
    "transposed": Case(lambda m, x: (x.T @ x).T[0], ((4, 3),), scales=ALL),
    "reshaped": Case(lambda m, x: x.reshape(2, 6) ** 2, ((3, 4),)),
    "two results": Case(lambda m, x, y: (x * y, m.exp(x)), ((3,), (3,))),
    "recurrent": Case(_recurrent, ((5, 3), (3, 3))),
    "gated": Case(lambda m, x, g: x / (1 + m.exp(-g)), ((3, 4), (3, 4))),
    "huber": Case(
        lambda m, x: m.where(m.abs(x) < 1, 0.5 * x * x, m.abs(x) - 0.5), ((20,),)),
    "hinge": Case(lambda m, x: m.maximum(1 - x, 0 * x), ((20,),)),
    "mask": Case(lambda m, x: m.where(x > 0.5, x * x, x), ((20,),)),
    "constant in part": Case(lambda m, x, y: x * 2 + 0 * y, ((3,), (3,))),
    "distance": Case(
        lambda m, x, y: m.sqrt(m.total((x[:, None] - y[None]) ** 2)), ((3, 4), (5, 4)),
        scales=SMALL),
    "two by two inverse": Case(
        lambda m, a: a / (a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0] + 5), ((2, 2),)),
}  # fmt: skip


def _pair_softmax(x: Any) -> Any:
    numbers = np.exp(x - x.max(-1, keepdims=True))
    return numbers / numbers.sum(-1, keepdims=True)


def _back_softmax(g: Any, x: Any) -> Any:
    y = _pair_softmax(x)
    return y * (g - (g * y).sum(-1, keepdims=True))


def _back_norm(g: Any, x: Any) -> Any:
    moved = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((moved * moved).mean(-1, keepdims=True) + x.dtype.type(1e-5))
    y = moved / scale
    inner = g - g.mean(-1, keepdims=True) - y * (g * y).mean(-1, keepdims=True)
    return inner / scale


def _pair_norm(x: Any) -> Any:
    moved = x - x.mean(-1, keepdims=True)
    return moved / np.sqrt((moved * moved).mean(-1, keepdims=True) + x.dtype.type(1e-5))


def _back_max(g: Any, x: Any) -> Any:
    found = np.zeros_like(x)
    np.put_along_axis(found, x.argmax(-1, keepdims=True), g, -1)
    return found


PAIRS = {
    "exp": ((np.exp, lambda g, x: g * np.exp(x)), ((3, 4),)),
    "square": ((np.square, lambda g, x: 2 * g * x), ((3, 4),)),
    "tanh": ((np.tanh, lambda g, x: g * (1 - np.tanh(x) ** 2)), ((3, 4),)),
    "log1p": ((lambda x: np.log1p(x * x), lambda g, x: 2 * g * x / (1 + x * x)), ((5,),)),
    "relu": ((lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0)), ((3, 4),)),
    "matmul": ((np.matmul, lambda g, x, w: (g @ w.T, x.T @ g)), ((5, 4), (4, 3))),
    "bias": ((np.add, lambda g, x, b: (g.copy(), g.sum(0))), ((5, 3), (3,))),
    "softmax": ((_pair_softmax, _back_softmax), ((3, 6),)),
    "layer norm": ((_pair_norm, _back_norm), ((3, 8),)),
    "max": ((lambda x: x.max(-1, keepdims=True), _back_max), ((4, 5),)),
    "cumsum": ((lambda x: x.cumsum(1), lambda g, x: g[:, ::-1].cumsum(1)[:, ::-1]), ((3, 9),)),
    "transpose": ((lambda x: x.T.copy(), lambda g, x: g.T.copy()), ((3, 4),)),
    "mean": ((np.mean, lambda g, x: np.full_like(x, g / x.size)), ((3, 4),)),
    "solve": ((
        np.linalg.solve,
        lambda g, a, b: (
            -np.outer(np.linalg.solve(a.T, g), np.linalg.solve(a, b)), np.linalg.solve(a.T, g))),
        ((4, 4), (4,))),
}  # fmt: skip


def of_framework(framework: str) -> Iterator[tuple[str, Any, list[np.ndarray]]]:
    """The name, the function and the inputs of every right function in one framework."""
    names = None if framework == "numpy" else Names(framework)
    for name, case in (CASES if names else {}).items():
        for scale in case.scales:

            def function(*x: Any, case: Case = case) -> Any:
                return case.function(names, *x)

            yield f"{name} at {scale:g}", function, inputs_of(case.shapes, case.positive, scale)
    for name, (pair, shapes) in (PAIRS if names is None else {}).items():
        for scale in (1.0, 1e-4, 30.0) if name != "exp" else (1.0, 1e-4):
            yield f"{name} at {scale:g}", pair, inputs_of(shapes, False, scale)


def inputs_of(shapes: Any, positive: bool, scale: float) -> list[np.ndarray]:
    """Random inputs of these shapes, about as large as `scale`."""
    random = np.random.default_rng(len(shapes))
    drawn = [random.normal(size=shape) for shape in shapes]
    return [np.asarray(scale * (np.abs(each) + 0.2 if positive else each)) for each in drawn]


def main() -> None:
    """Print how many of how many are called wrong, in each framework and dtype."""
    print("| framework | dtype | right functions | false alarms | elements | undecided |")
    print("|---|---|---|---|---|---|")
    for framework in ("numpy", *FRAMEWORKS):
        if frameworks.known()[framework].missing():
            continue
        for dtype in ("float64", "float32"):
            count: collections.Counter[str] = collections.Counter()
            wrong = []
            for name, function, inputs in of_framework(framework):
                given = [each.astype(dtype) for each in inputs]
                report = check_gradients(
                    function, *given, framework=framework, raises=False, shrink=False
                )
                count += collections.Counter(
                    functions=1, wrong=not report.ok, elements=report.checked,
                    undecided=report.undecided,
                )  # fmt: skip
                wrong += [] if report.ok else [(name, report)]
            row = [str(count[each]) for each in ("functions", "wrong", "elements", "undecided")]
            print(f"| {framework} | {dtype} | {' | '.join(row)} |", flush=True)
            for name, report in wrong:
                print(f"\n{name}\n{report}\n")


if __name__ == "__main__":
    main()
