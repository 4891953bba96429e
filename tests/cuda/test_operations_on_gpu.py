"""Results and gradients of this engine, on the CPU, beside those of PyTorch on a GPU.

A GPU adds up in another order and has functions of its own, which NVIDIA gives as right to 1 or 2
ulp (pow to 4). So what is allowed is a little more than between two CPUs, and differs by what is
computed: numbers that are only moved are equal, and arithmetic that both round once nearly so.
"""

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.testing import assert_parity

pytestmark = pytest.mark.cuda

random = np.random.default_rng(0)


def numbers(*shape):
    return random.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return random.uniform(0.1, 10, shape).astype(np.float32)


def labels(count, classes=10):
    return random.integers(0, classes, count)


X, Y = numbers(64, 33), numbers(64, 33)
IMAGES = numbers(4, 3, 14, 14)
LOGITS = 3 * numbers(64, 10)

MODULE_ALIASES = {
    "transpose": (lambda t, x: x.T.contiguous(), X),
    "cat": (lambda t, x, y: t.cat([x, y], 1), X, Y),
    "flip": (lambda t, x: x.flip(0), X),
    "gather": (lambda t, x, i: x.gather(1, i), X, Y.argsort(1)),
    "index": (lambda t, x, i: x[i], X, random.permutation(64)),
    "where": (lambda t, x, y, c: t.where(c, x, y), X, Y, X > Y),
    "max": (lambda t, x: x.max(1).values, X),
    "sort": (lambda t, x: x.sort(1).values, X),
    "pad": (lambda t, x: t.nn.functional.pad(x, (1, 2, 0, 3)), IMAGES),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2), IMAGES),
    "relu": (lambda t, x: t.relu(x), X),
    "abs": (lambda t, x: x.abs(), X),
}
"""No number is computed: results and gradients are the same."""

ROUNDED = {
    "add": (lambda t, x, y: x + y, X, Y),
    "mul": (lambda t, x, y: x * y, X, Y),
    "mul, broadcast": (lambda t, x, y: x * y, X, numbers(33)),
    "div": (lambda t, x, y: x / y, X, positive(64, 33)),
    "sqrt": (lambda t, x: x.sqrt(), positive(999)),
    "exp": (lambda t, x: x.exp(), X),
    "log": (lambda t, x: x.log(), 2 + positive(999)),
    "pow": (lambda t, x: x**3, X),
    "rsqrt": (lambda t, x: x.rsqrt(), positive(999)),
}
"""Allowed are 4 ulp of each number, 8 of each number of a gradient."""

SMOOTH = {
    "sigmoid": (lambda t, x: x.sigmoid(), X),
    "tanh": (lambda t, x: x.tanh(), X),
    "sin": (lambda t, x: x.sin(), X),
    "erf": (lambda t, x: x.erf(), X),
    "log1p": (lambda t, x: x.log1p(), positive(999)),
    "gelu": (lambda t, x: t.nn.functional.gelu(x), X),
    "softplus": (lambda t, x: t.nn.functional.softplus(x), X),
    "silu": (lambda t, x: t.nn.functional.silu(x), X),
    "softmax": (lambda t, x: x.softmax(1), LOGITS),
    "log_softmax": (lambda t, x: x.log_softmax(1), LOGITS),
    "logsumexp": (lambda t, x: x.logsumexp(1), LOGITS),
    "cross_entropy": (lambda t, x, y: t.nn.functional.cross_entropy(x, y), LOGITS, labels(64)),
    "mse_loss": (lambda t, x, y: t.nn.functional.mse_loss(x, y), X, Y),
    "layer_norm": (lambda t, x: t.nn.functional.layer_norm(x, (33,)), X),
    "var": (lambda t, x: x.var(1), X),
    "cumsum": (lambda t, x: x.cumsum(1), X),
}
"""Allowed are 16 ulp, of the largest number among inputs, result and gradients."""

SUMS = {
    "sum": (lambda t, x: x.sum(0), X),
    "mean": (lambda t, x: x.mean(), X),
    "matmul": (lambda t, x, y: x @ y, numbers(64, 784), numbers(784, 10)),
    "bmm": (lambda t, x, y: t.bmm(x, y), numbers(5, 6, 70), numbers(5, 70, 8)),
    "linear": (
        lambda t, x, w, b: t.nn.functional.linear(x, w, b),
        numbers(64, 784), numbers(128, 784), numbers(128),
    ),
    "conv2d": (
        lambda t, x, w, b: t.nn.functional.conv2d(x, w, b, padding=1),
        IMAGES, numbers(8, 3, 3, 3), numbers(8),
    ),
    "conv2d of stride 2": (
        lambda t, x, w, b: t.nn.functional.conv2d(x, w, b, stride=2, padding=1),
        numbers(16, 1, 28, 28), numbers(16, 1, 3, 3), numbers(16),
    ),
    "conv_transpose2d": (
        lambda t, x, w: t.nn.functional.conv_transpose2d(x, w, stride=2),
        IMAGES, numbers(3, 5, 3, 3),
    ),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 4), IMAGES),
    "embedding": (lambda t, i, w: t.nn.functional.embedding(i, w), labels(200), numbers(10, 4)),
}  # fmt: skip
"""Allowed are 64 ulp of the sum of absolute terms."""

ALLOWED = [
    (MODULE_ALIASES, {"ulp": 0}),
    (ROUNDED, {"ulp": 4, "second_order": True}),
    (SMOOTH, {"ulp": 16, "scale": "sight", "second_order": True}),
    (SUMS, {"ulp": 64, "gradient_ulp": 64, "scale": "terms"}),
]


def on_the_gpu(array):
    tensor = torch.from_numpy(array).cuda()
    return tensor.requires_grad_(tensor.is_floating_point())


@pytest.mark.parametrize(
    ("function", "arrays", "allowed"),
    [
        pytest.param(function, arrays, allowed, id=name)
        for table, allowed in ALLOWED
        for name, (function, *arrays) in table.items()
    ],
)
def test_results_and_gradients(function, arrays, allowed):
    def in_torch(*tensors):
        result = function(torch, *tensors)
        assert result.is_cuda
        return result

    def on_ours(*tensors):
        return function(tinygrad_mnist, *tensors)

    compared = assert_parity(on_ours, in_torch, *map(on_the_gpu, arrays), seed=0, **allowed)
    assert compared.raised is None
    assert len(compared.values) == 1
    assert len(compared.gradients) == sum(array.dtype.kind == "f" for array in arrays)


def test_a_difference_is_found():
    with pytest.raises(AssertionError, match="tinygrad_mnist and PyTorch differ"):
        assert_parity(tinygrad_mnist.exp, torch.expm1, on_the_gpu(X))
