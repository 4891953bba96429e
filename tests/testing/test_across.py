"""`assert_parity` between any two frameworks."""

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from tinygrad_mnist.testing import ParityError, assert_parity

X = np.random.default_rng(0).standard_normal((4, 5))


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def softmax_backward(g, x):
    s = softmax(x)
    return s * (g - (g * s).sum(-1, keepdims=True))


def of_torch(x):
    return torch.softmax(x, -1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pair_of_numpys_beside_pytorch(dtype):
    x = X.astype(dtype)
    pair = softmax, softmax_backward
    for functions in ((pair, of_torch), (of_torch, pair)):
        found = assert_parity(*functions, x, seed=0)
        assert found.values
        assert found.gradients
        assert not found.differences()


@pytest.mark.parametrize(
    ("backward", "told"),
    [
        (lambda g, x: -softmax_backward(g, x), "sign"),
        (lambda g, x: 4 * softmax_backward(g, x), "factor"),
        (lambda g, x: np.roll(softmax_backward(g, x), 1, 1), "off by one"),
        (lambda g, x: np.zeros_like(x), "detached"),
    ],
)
def test_a_wrong_backward_is_named(backward, told):
    with pytest.raises(ParityError, match=r"numpy and torch differ; seed=3 replays it") as caught:
        assert_parity((softmax, backward), of_torch, X, seed=3)
    assert f"gradient of input 0: {told}" in str(caught.value)


def test_values_shapes_and_errors_are_compared():
    pair = (lambda x: softmax(x)[:2], lambda g, x: np.zeros_like(x))
    with pytest.raises(ParityError, match="shape of value"):
        assert_parity(pair, of_torch, X, seed=0)
    with pytest.raises(ParityError, match="error"):
        assert_parity((lambda x: softmax(x, 3), softmax_backward), of_torch, X, seed=0)
    with pytest.raises(ParityError, match="IndexError"):
        assert_parity((lambda x: softmax(x, 3), softmax_backward), lambda x: torch.softmax(x, 7), X)
    refused = assert_parity((lambda x: x[9], softmax_backward), lambda x: torch.softmax(x, 7), X)
    assert refused.raised == "IndexError"


@pytest.mark.parametrize(
    ("slip", "kind"),
    [
        (lambda x: torch.sni(x), AttributeError),
        (lambda x: unknown(x), NameError),  # noqa: F821
        (lambda x: __import__("not_a_module"), ImportError),
    ],
)
def test_a_wrong_name_is_no_agreement(slip, kind):
    with pytest.raises(kind):
        assert_parity((slip, softmax_backward), slip, X)


def test_scales_of_one_pair_of_engines_are_refused():
    with pytest.raises(ValueError, match="scale is for this engine beside PyTorch"):
        assert_parity((softmax, softmax_backward), of_torch, X, scale="terms")


def test_a_strategy_is_refused():
    with pytest.raises(TypeError, match="input 0 is a strategy: draw from it"):
        assert_parity((softmax, softmax_backward), of_torch, st.floats())


@pytest.mark.parametrize("seed", range(8))
def test_right_functions_of_float32_pass(seed):
    random = np.random.default_rng(seed)
    x = random.standard_normal((3, 200)) * 10 ** random.uniform(-2, 3) + random.uniform(-50, 50)
    layer_norm = (_normalized, _normalized_backward)
    assert_parity(layer_norm, lambda x: torch.nn.functional.layer_norm(x, (x.shape[-1],)),
                  x.astype(np.float32), seed=seed)  # fmt: skip
    assert_parity((softmax, softmax_backward), of_torch, x.astype(np.float32), seed=seed)


def _normalized(x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.asarray(1e-5, x.dtype))


def _normalized_backward(g, x):
    centred = x - x.mean(-1, keepdims=True)
    std = np.sqrt((centred**2).mean(-1, keepdims=True) + np.asarray(1e-5, x.dtype))
    y = centred / std
    return (g - g.mean(-1, keepdims=True) - y * (g * y).mean(-1, keepdims=True)) / std


def test_jax_beside_others():
    jax = pytest.importorskip("jax")
    found = assert_parity(lambda x: jax.nn.softmax(x, -1), of_torch, X, second_order=True)
    assert found.second
    assert_parity(lambda x: jax.nn.softmax(x, -1), (softmax, softmax_backward), X)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return -7 * g * ctx.saved_tensors[0]


@pytest.mark.parametrize("left", ["tinygrad_mnist", "torch"])
@pytest.mark.parametrize("right", ["tinygrad_mnist", "torch"])
def test_functions_get_tensors_of_the_frameworks_asked_for(left, right):
    met = []

    def square(x):
        met.append(type(x).__module__.partition(".")[0])
        return x * x

    assert_parity(square, square, X, frameworks=(left, right))
    assert list(dict.fromkeys(met)) == list(dict.fromkeys((left, right)))


def test_a_wrong_backward_of_a_function_of_pytorchs_is_found():
    with pytest.raises(ParityError, match="torch and torch differ"):
        assert_parity(Square.apply, torch.square, X, frameworks=("torch", "torch"))


def test_frameworks_are_asked_for_by_name():
    square = lambda x: x * x  # noqa: E731
    assert_parity((square, lambda g, x: 2 * x * g), square, X,
                  frameworks=("numpy", "tinygrad_mnist"))  # fmt: skip
    with pytest.raises(ValueError, match="names two, one for each function, not 1"):
        assert_parity(square, square, X, frameworks=("torch",))
    with pytest.raises(ValueError, match="no framework 'theano'"):
        assert_parity(square, square, X, frameworks=("theano", "torch"))
