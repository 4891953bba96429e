"""What assert_parity takes for rounding: correct float32 programs pass, seeded faults do not.

Each program is written out in plain operations and held against PyTorch's own function, or against
itself; each fault is one that people make, in the program whose name it bears.
"""

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.testing import ParityError, assert_parity, compare

F = torch.nn.functional
random = np.random.default_rng(0)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


def attention(q, k, v, mask=None, size=8):
    scores = q @ k.transpose(-2, -1) / size**0.5
    if mask is not None:
        scores = scores.masked_fill(mask, -float("inf"))
    return scores.softmax(-1) @ v


def spread(x, dim, lost=0):
    centred = x - x.mean(dim, keepdim=True)
    return (centred**2).sum(dim, keepdim=True) / (x.shape[dim] - lost)


def normalized(x, weight, bias, dim=-1, eps=1e-5, lost=0):
    scaled = (x - x.mean(dim, keepdim=True)) / (spread(x, dim, lost) + eps).sqrt()
    return scaled * weight + bias


def rms(x, weight, eps=1e-6):
    return x * ((x * x).mean(-1, keepdim=True) + eps) ** -0.5 * weight


def log_sum(x):
    largest = x.max(-1, keepdim=True).values
    return (x - largest).exp().sum(-1, keepdim=True).log() + largest


def cross_entropy(x, labels):
    return (log_sum(x) - x.gather(1, labels.reshape(-1, 1))).mean()


def conv(x, weight, bias, engine=tinygrad_mnist):
    return engine.nn.functional.conv2d(x, weight, bias, padding=1)


HEADS = normal(2, 3, 16, 8), normal(2, 3, 16, 8), normal(2, 3, 16, 8)
MASK = np.triu(np.ones((16, 16), bool), 1)
ROWS, GAIN, SHIFT = normal(32, 64), normal(64), normal(64)
LABELS = random.integers(0, 10, 64)
CHAIN = normal(32, 64), normal(64, 128), normal(128, 16)
IMAGES = normal(4, 8, 9, 9), normal(6, 8, 3, 3), normal(6)

PROGRAMS = {
    "attention": (attention, F.scaled_dot_product_attention, HEADS),
    "masked attention": (attention, attention, (*HEADS, MASK)),
    "layer norm": (normalized, lambda x, w, b: F.layer_norm(x, (64,), w, b), (ROWS, GAIN, SHIFT)),
    "rms norm": (rms, lambda x, w: F.rms_norm(x, (64,), w, 1e-6), (ROWS, GAIN)),
    "batch norm": (
        lambda x, w, b: normalized(x, w, b, 0),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        (ROWS, GAIN, SHIFT),
    ),
    "sum": (lambda x: x.sum(), lambda x: x.sum(), (normal(50000),)),
    "mean": (lambda x: x.mean(0), lambda x: x.mean(0), (normal(5000, 3),)),
    "cross entropy": (cross_entropy, F.cross_entropy, (normal(64, 10) * 5, LABELS)),
    "variance": (
        lambda x: spread(x, 0).sum(), lambda x: x.var(correction=0), (normal(1000) + 100,)
    ),
    "products": (lambda a, b, c: a @ b @ c, lambda a, b, c: a @ b @ c, CHAIN),
    "cumsum": (lambda x: x.cumsum(0), lambda x: x.cumsum(0), (normal(3000),)),
    "logsumexp": (log_sum, lambda x: x.logsumexp(-1, keepdim=True), (normal(16, 500) * 5,)),
    "conv": (conv, lambda *a: conv(*a, engine=torch), IMAGES),
}  # fmt: skip


def detached(x):
    return x.detach() + 0 * x


FAULTS = {
    "attention: no scale": lambda q, k, v: attention(q, k, v, size=1),
    "attention: scale of one less": lambda q, k, v: attention(q, k, v, size=7),
    "attention: transposed": lambda q, k, v: attention(q, k, v.flip(-2)),
    "attention: sign": lambda q, k, v: attention(q, -k, v),
    "attention: detached": lambda q, k, v: attention(q, detached(k), v),
    "masked attention: no mask": lambda q, k, v, m: attention(q, k, v),
    "masked attention: off by one": lambda q, k, v, m: attention(q, k, v, m.roll(1, 0)),
    "layer norm: eps": lambda x, w, b: normalized(x, w, b, eps=1e-6),
    "layer norm: unbiased": lambda x, w, b: normalized(x, w, b, lost=1),
    "layer norm: detached": lambda x, w, b: (
        (x - x.mean(-1, keepdim=True)) / (spread(detached(x), -1) + 1e-5).sqrt() * w + b
    ),
    "rms norm: eps": lambda x, w: rms(x, w, 1e-5),
    "rms norm: factor of N": lambda x, w: rms(x, w) / 8,
    "batch norm: eps": lambda x, w, b: normalized(x, w, b, 0, eps=1e-4),
    "batch norm: unbiased": lambda x, w, b: normalized(x, w, b, 0, lost=1),
    "sum: off by one": lambda x: x[1:].sum(),
    "sum: one twice": lambda x: x.sum() + x[0],
    "mean: of one less": lambda x: x.sum(0) / (x.shape[0] - 1),
    "cross entropy: sum": lambda x, y: cross_entropy(x, y) * 64,
    "cross entropy: sign": lambda x, y: -cross_entropy(x, y),
    "cross entropy: detached": lambda x, y: cross_entropy(x, y) - log_sum(x).mean()
    + log_sum(x.detach()).mean(),
    "variance: unbiased": lambda x: x.var(),
    "variance: no sum": lambda x: spread(x, 0).sum() + 0 * x.sum() + x[0] * 1e-3,
    "products: transposed": lambda a, b, c: a @ b.flip(0) @ c,
    "products: detached": lambda a, b, c: a @ detached(b) @ c,
    "cumsum: off by one": lambda x: x.cumsum(0) - x,
    "cumsum: no sum of gradients": lambda x: x.cumsum(0).detach() + x - x.detach(),
    "logsumexp: detached": lambda x: log_sum(x) - x.max(-1, keepdim=True).values
    + x.max(-1, keepdim=True).values.detach(),
    "conv: flipped": lambda x, w, b: conv(x, w.flip(2, 3), b),
    "conv: bias twice": lambda x, w, b: conv(x, w, 2 * b),
    "conv: half a gradient": lambda x, w, b: conv(x, w, (b + b.detach()) / 2),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_correct_program_passes_by_default(name):
    function, theirs, inputs = PROGRAMS[name]
    assert_parity(function, theirs, *inputs)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_does_not(name):
    _, theirs, inputs = PROGRAMS[name.partition(":")[0]]
    with pytest.raises(ParityError):
        assert_parity(FAULTS[name], theirs, *inputs)


def test_a_missing_sum_over_what_was_broadcast_is_found():
    class Scaled(tinygrad_mnist.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            ctx.save_for_backward(x, weight)
            return x * weight

        @staticmethod
        def backward(ctx, g):
            x, weight = ctx.saved_tensors
            return g * weight, (g * x)[0]

    with pytest.raises(ParityError, match="gradient of input 1"):
        assert_parity(Scaled.apply, lambda x, w: x * w, ROWS, GAIN)


def test_a_function_of_new_random_numbers_each_time_is_given_no_room():
    assert compare(lambda x: x + 1e-3, lambda x: x + torch.rand(()), GAIN).differences()


def test_what_fails_by_little_names_what_would_help():
    with pytest.raises(ParityError, match=r'let it pass by scale="largest" or .*ulp=\d+'):
        assert_parity(lambda x: x + 3e-7, lambda x: x * 1, np.float32([8.1, 0.1, 0.1, 0.1, 0.1]))
    with pytest.raises(ParityError) as caught:
        assert_parity(lambda x: x * 2, lambda x: x * 3, GAIN)
    assert "let it pass" not in str(caught.value)


def test_either_side_may_be_of_pytorch():
    for one, other in (
        (torch.relu, torch.relu), (torch.relu, tinygrad_mnist.relu),
        (tinygrad_mnist.relu, tinygrad_mnist.relu), (F.gelu, tinygrad_mnist.nn.functional.gelu),
    ):  # fmt: skip
        comparison = assert_parity(one, other, GAIN)
        assert comparison.raised is None
        assert comparison.gradients
