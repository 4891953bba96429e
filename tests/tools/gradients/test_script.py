"""The script that a failure shows runs by itself and fails again."""

from typing import Any

import numpy as np
import pytest
import torch

from tinygrad_mnist.testing import GradientError, check_gradients

HALF = 0.5
X = np.random.default_rng(0).normal(size=(4, 3))


def scaled(x: Any) -> Any:
    """Used by the function below."""
    return x * HALF


class Wrong(torch.autograd.Function):
    """x² / 2, and its gradient too small."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return scaled(x) * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return scaled(g) * x


class Layer:
    """With weights, and its gradient of the other sign."""

    def __init__(self) -> None:
        self.weight = np.arange(1.0, 4.0)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * self.weight

    def backward(self, g: np.ndarray) -> np.ndarray:
        return -g * self.weight


def closed_over(weight: np.ndarray) -> Any:
    return (lambda x: x * weight, lambda g, x: g * weight * 2)


class Curious(torch.nn.Module):
    """A module, which no script can write down: it is imported."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Wrong.apply(x)


CURIOUS = Curious()
CASES = {
    "Function": (Wrong.apply, "torch"),
    "layer": (Layer(), "numpy"),
    "closure": (closed_over(np.arange(1.0, 4.0)), "numpy"),
    "lambda": (lambda x: Wrong.apply(x) + HALF, "torch"),
    "module": (CURIOUS, "torch"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_script_replays_the_failure(name: str) -> None:
    function, framework = CASES[name]
    report = check_gradients(function, X, framework=framework, raises=False)
    assert report.pattern in ("factor", "sign")
    with pytest.raises(GradientError, match=report.pattern):
        exec(compile(report.script, "script", "exec"), {})
    if name != "module":
        assert "sys.path" not in report.script


def test_large_arrays_are_packed() -> None:
    def backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.where(np.arange(x.size) == 299, 3 * g * x, 2 * g * x)

    x = np.random.default_rng(0).normal(size=300)
    report = check_gradients((np.square, backward), x, raises=False)
    assert "base64" in report.script
    assert max(map(len, report.script.splitlines())) < 120
    with pytest.raises(GradientError):
        exec(compile(report.script, "script", "exec"), {})


def test_what_cannot_be_written_down_is_said() -> None:
    exec("def f(x): return x * 1\ndef b(g, x): return g * 2", made := {"__name__": "nowhere"})
    report = check_gradients((made["f"], made["b"]), X, raises=False)
    assert "put it here" in report.script
    assert "with what it could not write down" in str(report)
