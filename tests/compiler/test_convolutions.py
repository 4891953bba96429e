"""Convolutions of compiled programs against PyTorch in double precision."""

import numpy as np
import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tinygrad_mnist.kernels import batch_last as loops
from tinygrad_mnist.kernels import dispatch, team

CASES = [
    # batch, channels, filters, (height, width), kernel, stride, padding
    (16, 3, 5, (9, 8), (3, 3), (2, 2), (1, 1)),
    (64, 1, 16, (12, 12), (3, 3), (2, 2), (1, 1)),
    (5, 4, 9, (7, 11), (3, 2), (1, 1), (0, 1)),
    (7, 2, 12, (10, 13), (2, 5), (3, 2), (1, 2)),
    (33, 2, 1, (6, 6), (1, 1), (1, 1), (0, 0)),
    (20, 2, 3, (8, 8), (2, 2), (3, 3), (0, 0)),
    (40, 3, 4, (5, 5), (5, 5), (1, 1), (2, 2)),
]


def drawn(case, dtype):
    batch, channels, filters, size, kernel, _, _ = case
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, channels, *size)).astype(dtype)
    return images, rng.standard_normal((filters, channels, *kernel)).astype(dtype)


def convolved(engine, x, weight, stride, padding):
    """A convolution, and the gradients of the sum of its squares."""
    out = engine.nn.functional.conv2d(x, weight, stride=stride, padding=padding)
    (out * out).sum().backward()
    return out.detach(), x.grad, weight.grad


def exact(images, weight, case):
    x, w = (pytorch.from_numpy(a.astype(np.float64)).requires_grad_() for a in (images, weight))
    return [each.numpy() for each in convolved(pytorch, x, w, *case[5:])]


def assert_close(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        error = np.abs(ours - theirs).max()
        assert error <= 40 * np.finfo(ours.dtype).eps * np.abs(theirs).max()


def batch_last(images):
    """(batch, channels, height, width) as (channels, height · width · batch)."""
    turned = images.transpose(1, 2, 3, 0)
    return np.ascontiguousarray(turned).reshape(len(turned), -1)


def sums_of_pieces(images, weight, windows):
    """A convolution, and the gradients of the sum of its squares."""
    (channels, *size, batch), kernel, stride, _, counts = windows
    rows = (counts[0] - 1) * stride[0] + kernel[0]
    columns = stride[1] * (counts[1] + (kernel[1] - 1) // stride[1])
    laid = np.full((channels, rows * columns * batch), np.nan, np.float32)
    loops.lay_out(batch_last(images), laid, *windows)
    again = np.full_like(laid, np.nan)
    loops.lay_out_given(images, again, *windows)
    np.testing.assert_array_equal(again, laid)
    flat = weight.reshape(len(weight), -1)
    out = np.full((len(weight), counts[0] * counts[1] * batch), np.nan, np.float32)
    loops.convolve(laid, flat, out, *windows)
    grad = 2 * out
    grad_images = np.full((channels, size[0] * size[1] * batch), np.nan, np.float32)
    loops.convolve_input(grad, flat, grad_images, *windows)
    grad_weight = np.full(flat.shape, np.nan, np.float32)
    loops.convolve_weight(grad, laid, grad_weight, *windows)
    return out, grad_images, grad_weight


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_of_pieces(case):
    """Into however many pieces they are cut."""
    dispatch.prepare()
    images, weight = drawn(case, np.float32)
    expected = exact(images, weight, case)
    batch, channels, filters, size, kernel, stride, start = case
    counts = expected[0].shape[2:]
    windows = (channels, *size, batch), kernel, stride, start, counts
    whole = sums_of_pieces(images, weight, windows)
    team.set_worth(64)
    try:
        for one, cut in zip(whole, sums_of_pieces(images, weight, windows), strict=True):
            np.testing.assert_array_equal(one, cut)
    finally:
        team.set_worth(team.LEAST)
    out, grad_images, grad_weight = whole
    assert_close(
        [out, grad_images, grad_weight],
        [batch_last(expected[0]), batch_last(expected[1]), expected[2].reshape(filters, -1)],
    )


@pytest.mark.parametrize(
    ("batch", "dtype", "in_pieces"), [(16, np.float32, True), (16, np.float64, False)]
)
def test_a_compiled_convolution_and_its_gradients(batch, dtype, in_pieces):
    case = (batch, *CASES[0][1:])
    images, weight = drawn(case, dtype)

    @torch.compile
    def step(x, w):
        x.grad = w.grad = None
        return convolved(torch, x, w, *case[5:])

    x, w = (torch.from_numpy(a).requires_grad_() for a in (images, weight))
    for _ in range(2):
        found = step(x, w)
    assert ("batch_last.convolve_input(" in step.source) == in_pieces
    assert ("images.scatter_columns(" in step.source) != in_pieces
    assert_close([each.numpy() for each in found], exact(images, weight, case))
