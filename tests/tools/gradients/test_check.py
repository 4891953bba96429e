"""`check_gradients`: right functions pass, faults are found, bad calls are told."""

from typing import Any

import numpy as np
import pytest
import torch as pytorch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist as torch
from tinygrad_mnist.testing import GradientError, check_gradients

X = np.random.default_rng(0).normal(size=(4, 3))
SQUARE = (lambda x: x * x, lambda g, x: 2 * g * x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_right_pair_passes(dtype: type) -> None:
    report = check_gradients(SQUARE, X.astype(dtype))
    assert report.ok
    assert report.checked == 12
    assert str(report).endswith(f"float{np.dtype(dtype).itemsize * 8}[4, 3]: 12 elements agree "
                                "with differences; seed=0")  # fmt: skip


def test_a_large_input_is_checked_in_random_directions() -> None:
    x = np.random.default_rng(0).normal(size=(200, 100))
    assert check_gradients(SQUARE, x).ok

    def backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        wrong = 2 * g * x
        wrong[17, 5] += 0.01
        return wrong

    report = check_gradients((SQUARE[0], backward), x, raises=False, shrink=False)
    assert [each.index for each in report.findings[0].elements] == [(17, 5)]


def test_kinks_are_no_faults() -> None:
    relu = (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0))
    report = check_gradients(relu, np.array([0.0, 1.0, -1.0]))
    assert report.ok
    assert [each.index for each in report.kinks] == [(0,)]
    assert "slopes to both sides differ" in str(report)


def test_many_kinks_are_all_told() -> None:
    relu = (lambda x: np.maximum(x, 0), lambda g, x: g * (x > 0))
    assert len(check_gradients(relu, np.zeros(500)).kinks) == 500


def test_a_function_that_rounds_more_coarsely_than_its_type() -> None:
    def forward(x: np.ndarray) -> np.ndarray:
        return (x.astype(np.float16) ** 2).astype(np.float32)

    right = (forward, lambda g, x: (2 * g * x).astype(np.float16).astype(np.float32))
    assert check_gradients(right, X.astype(np.float32)).ok


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_the_function_is_infinite_a_gradient_may_be_no_number() -> None:
    inverse = (lambda x: 1 / x, lambda g, x: -g / x**2)
    assert check_gradients(inverse, np.array([0.0, 1.0, 2.0])).ok


def test_kinks_hide_no_fault() -> None:
    wrong = (lambda x: np.maximum(x, 0), lambda g, x: -g * (x > 0))
    report = check_gradients(wrong, np.zeros(4), raises=False, shrink=False)
    assert report.pattern == "sign"
    assert report.kinks
    assert "beside the kinks" in report.findings[0].sentence


def test_a_pattern_is_named_of_a_large_input() -> None:
    wrong = (lambda x, b: np.tanh(x) + b, lambda g, x, b: (g / np.cosh(x) ** 2, g[0]))
    x = np.random.default_rng(0).normal(size=(60, 40))
    report = check_gradients(wrong, x, np.ones(40), raises=False)
    assert report.pattern == "not summed over a broadcast axis"
    twice = (SQUARE[0], lambda g, x: g * x)
    assert check_gradients(twice, x, raises=False).pattern == "factor"


def test_functions_of_float32_alone_are_checked_with_wider_bounds() -> None:
    def forward(x: np.ndarray) -> np.ndarray:
        return np.sin(x.astype(np.float32))

    right = (forward, lambda g, x: g * np.cos(x.astype(np.float32)))
    report = check_gradients(right, X.astype(np.float32))
    assert "computes in float32 alone" in report.notes[0]
    wrong = (forward, lambda g, x: g * np.cos(x.astype(np.float32)) * np.float32(1.01))
    assert check_gradients(wrong, X.astype(np.float32), raises=False).pattern == "factor"


def test_what_is_right_in_float64_and_wrong_in_float32() -> None:
    def backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 2 * g * x * x.dtype.type(1 if x.dtype == np.float64 else 1.001)

    report = check_gradients((SQUARE[0], backward), X.astype(np.float32), raises=False)
    assert "right in float64 and wrong in float32" in str(report)


def test_gradients_of_gradients_that_are_wrong() -> None:
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * g * x * x.detach()

    assert check_gradients(Cube.apply, X, framework="tinygrad_mnist").ok
    report = check_gradients(
        Cube.apply, X, framework="tinygrad_mnist", second_order=True, raises=False
    )
    assert [each.kind for each in report.findings] == ["second order"]
    assert report.pattern == "factor"


def test_second_order_and_forward_mode_of_this_engine() -> None:
    assert check_gradients(lambda x: torch.softmax(x, -1).log(), X, second_order=True).ok
    assert check_gradients(torch.tanh, X, forward_mode=True).ok


def _noisy(x: np.ndarray) -> np.ndarray:
    return x * np.random.random()


def _writing(x: np.ndarray) -> np.ndarray:
    x *= 2
    return x.copy()


def _writing_backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    g *= 2 * x
    return g.copy()


BUFFER = np.empty_like(X)

BEHAVIOURS = {
    "nondeterministic": (_noisy, lambda g, x: g),
    "input mutated": (_writing, lambda g, x: 2 * g),
    "gradient from above mutated": (SQUARE[0], _writing_backward),
    "gradient aliases an input": (lambda x: (x**2).sum() / 2, lambda g, x: np.multiply(x, g, x)),
    "gradient overwritten": (SQUARE[0], lambda g, x: np.multiply(2 * g, x, out=BUFFER)),
    "wrong dtype": (SQUARE[0], lambda g, x: (2 * g * x).astype(np.float32)),
    "detached": (SQUARE[0], lambda g, x: None),
    "not a number": (SQUARE[0], lambda g, x: 2 * g * x / (x > 0)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_what_a_function_does_beside_its_numbers(name: str) -> None:
    report = check_gradients(BEHAVIOURS[name], X, raises=False, shrink=False)
    assert name in [each.name for each in report.findings], str(report)


def _in_place(g: Any, x: Any) -> Any:
    g.mul_(2 * x)
    return g


def _input_in_place(x: Any) -> Any:
    result = x * x
    x.detach().add_(1.0)
    return result


FUNCTIONS = {
    "gradient from above mutated": (lambda x: x * x, _in_place),
    "input mutated": (_input_in_place, lambda g, x: 2 * g * x),
}


@pytest.mark.parametrize("engine", [torch, pytorch], ids=["tinygrad_mnist", "torch"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_of_an_engine_writes_to(name: str, engine: Any) -> None:
    forward, backward = FUNCTIONS[name]

    class Writing(engine.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.saved_tensors)

    framework = engine.__name__
    report = check_gradients(Writing.apply, X, framework=framework, raises=False, shrink=False)
    assert [each.kind for each in report.findings] == [name]


@pytest.mark.parametrize(
    ("error", "words", "arguments"),
    [
        (TypeError, "no input is of floating point", (SQUARE, np.arange(3))),
        (ValueError, "has no elements", (SQUARE, np.empty((0, 3)))),
        (TypeError, "is complex", (SQUARE, np.ones(3, complex))),
        (TypeError, "returned NoneType", ((lambda x: None, lambda g, x: g), X)),
        (TypeError, "returned int64", ((lambda x: x.argmax(0), lambda g, x: g), X)),
        (TypeError, "names no framework", (lambda x: x, X)),
        (ValueError, "no value of the function is finite", ((lambda x: x * np.nan, SQUARE[1]), X)),
    ],
)
def test_bad_calls(error: type[Exception], words: str, arguments: tuple) -> None:
    with pytest.raises(error, match=words):
        check_gradients(*arguments)


def test_a_failure_shows_the_smallest_inputs_and_a_script_that_replays_it() -> None:
    wrong = (lambda x: x.T * 1.0, lambda g, x: g.T[::-1].copy())
    with pytest.raises(GradientError) as caught:
        check_gradients(wrong, X)
    report = caught.value.report
    assert report.pattern == "reversed"
    assert report.smallest is not None
    assert report.smallest[0].size == 3
    assert report.script.rstrip() in str(caught.value)
    with pytest.raises(GradientError, match="reversed"):
        exec(compile(report.script, "script", "exec"), {})


def test_inside_of_hypothesis_it_leaves_shrinking_to_that() -> None:
    wrong = (SQUARE[0], lambda g, x: g * x)

    @settings(database=None, max_examples=5, deadline=None)
    @given(st.integers(1, 4))
    def check(size: int) -> None:
        assert check_gradients(wrong, np.ones(size), raises=False).smallest is None

    check()


def test_the_page_stands_alone() -> None:
    report = check_gradients((SQUARE[0], lambda g, x: g * x), X, raises=False)
    page = report.html()
    assert page.startswith("<!doctype html>")
    assert "factor" in page
    assert "src=" not in page
    assert "href=" not in page


class Layer:
    """As many write layers in NumPy: what backward needs is kept in the layer."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.x = x
        return x**3

    def backward(self, g: np.ndarray) -> np.ndarray:
        return 3 * g * self.x**2


def test_a_layer_that_keeps_its_input() -> None:
    assert check_gradients(Layer(), X).ok
