"""Convolutions and their derivatives: both twins against PyTorch in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, laid_out, noting
from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import convolution, planes, winograd

LOOPS = ("_conv2d_loop", "_conv2d_input_loop", "_conv2d_weight_loop")
PLANES = ("_convolve_loop", "_convolve_input_loop", "_convolve_weight_loop")


@st.composite
def convolutions(draw):
    """Images, filters and a geometry that the loops compute, now and then in several blocks."""
    groups = draw(st.integers(1, 2))
    channels, filters = draw(st.sampled_from([(8, 5), (9, 1), (16, 8)]))
    batch = draw(st.sampled_from([8, 9, 16, 70]))
    kernel = draw(st.sampled_from([(2, 2), (3, 3), (3, 2), (4, 1), (1, 5)]))
    geometry = {
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": tuple(draw(st.tuples(st.integers(0, k), st.integers(0, k))) for k in kernel),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        "groups": groups,
    }
    sizes = draw(st.tuples(st.integers(7, 9), st.integers(9, 17)))
    dtype = draw(st.sampled_from([np.float32, np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.standard_normal((batch, groups * channels, *sizes)).astype(dtype)
    weight = rng.standard_normal((groups * filters, channels, *kernel)).astype(dtype)
    layout = draw(st.sampled_from(["contiguous", "strided", "read-only"]))
    return laid_out(images, layout), laid_out(weight, layout), geometry


def exact(images, weight, geometry):
    """The convolution, a gradient for it, and the gradients of both inputs, in float64."""
    x, w = (torch.from_numpy(a.astype(np.float64)).requires_grad_() for a in (images, weight))
    (top, bottom), (left, right) = geometry["padding"]
    padded = torch.nn.functional.pad(x, (left, right, top, bottom))
    options = {name: geometry[name] for name in ("stride", "dilation", "groups")}
    out = torch.conv2d(padded, w, **options)
    grad = torch.from_numpy(np.random.default_rng(0).standard_normal(out.shape))
    out.backward(grad)
    return [t.numpy() for t in (out.detach(), grad, x.grad, w.grad)]


def computed(images, weight, grad, geometry):
    grad = grad.astype(images.dtype)
    return (
        kernels.conv2d(images, weight, **geometry),
        kernels.conv2d_input(grad, weight, sizes=images.shape[2:], **geometry),
        kernels.conv2d_weight(grad, images, kernel=weight.shape[2:], **geometry),
    )


def assert_close(ours, theirs, terms):
    """Equal but for the rounding of so many terms of size one."""
    assert ours.shape == theirs.shape
    error = np.abs(ours - theirs).max(initial=0)
    assert error <= 4 * np.finfo(ours.dtype).eps * terms


@given(given=convolutions(), twin=st.sampled_from(TWINS))
def test_both_twins_compute_pytorchs_convolution_and_its_gradients(given, twin):
    images, weight, geometry = given
    out, grad, grad_images, grad_weight = exact(images, weight, geometry)
    with computed_by(twin), pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "WIDE", 100)
        called = noting(patch, convolution, LOOPS)
        found = computed(images, weight, grad, geometry)
    looped = LOOPS if twin == "numba" and images.dtype == np.float32 else ()
    assert called == [name for name in looped for _ in range(geometry["groups"])]
    window = weight[0].size
    assert_close(found[0], out, window)
    assert_close(found[1], grad_images, window * len(weight))
    assert_close(found[2], grad_weight, grad[:, 0].size)


def test_images_whose_numbers_meet_in_the_same_part_of_a_cache():
    rng = np.random.default_rng(1)
    images = rng.standard_normal((20, 8, 8, 8)).astype(np.float32)
    weight = rng.standard_normal((16, 8, 3, 3)).astype(np.float32)
    geometry = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    assert images.strides[0] % 1024 == 0
    expected = exact(images, weight, geometry)
    with computed_by("numba"):
        found = computed(images, weight, expected[1], geometry)
    for ours, theirs in zip(found, (expected[0], *expected[2:]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_under_its_windows(twin, bad):
    images = np.ones((9, 4, 7, 7), np.float32)
    images[3, 1, 2, 2] = bad
    weight = np.ones((3, 4, 3, 3), np.float32)
    geometry = {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    with computed_by(twin):
        out = kernels.conv2d(images, weight, **geometry)
        grad = kernels.conv2d_input(out, weight, sizes=(7, 7), **geometry)
    spoilt = np.argwhere(~np.isfinite(out[:, 0]))
    np.testing.assert_array_equal(spoilt, [[3, 1, 1]])
    touched = np.zeros((9, 7, 7), bool)
    touched[3, 1:4, 1:4] = True
    np.testing.assert_array_equal(~np.isfinite(grad[:, 2]), touched)


@st.composite
def convolutions_of_planes(draw):
    """Images, filters and a geometry of any kind: few images, many groups, narrow and wide ones."""
    groups, channels, filters = draw(
        st.sampled_from([(1, 3, 5), (1, 9, 9), (2, 2, 1), (6, 1, 1), (5, 1, 2), (1, 1, 1)])
    )
    kernel = draw(st.sampled_from([(2, 2), (3, 3), (3, 2), (7, 7), (1, 5), (5, 1)]))
    strides = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 2)]
    geometry = {
        "stride": draw(st.sampled_from([s for s in strides if s[0] * s[1] < np.prod(kernel)])),
        "padding": tuple(draw(st.tuples(st.integers(0, k), st.integers(0, k))) for k in kernel),
        "dilation": draw(st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 2)])),
        "groups": groups,
    }
    least = [(k - 1) * d + 1 for k, d in zip(kernel, geometry["dilation"], strict=True)]
    sizes = [n + draw(st.sampled_from([0, 1, 5, 30])) for n in least]
    batch = draw(st.sampled_from([1, 2, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.standard_normal((batch, groups * channels, *sizes)).astype(np.float32)
    weight = rng.standard_normal((groups * filters, channels, *kernel)).astype(np.float32)
    layout = draw(st.sampled_from(["contiguous", "strided", "read-only"]))
    return laid_out(images, layout), laid_out(weight, layout), geometry


@given(given=convolutions_of_planes())
def test_planes_give_pytorchs_convolution_and_its_gradients(given):
    images, weight, geometry = given
    out, grad, grad_images, grad_weight = exact(images, weight, geometry)
    with computed_by("numba"), pytest.MonkeyPatch.context() as patch:
        called = noting(patch, planes, PLANES)
        found = computed(images, weight, grad, geometry)
    assert called == list(PLANES)
    window = weight[0].size
    assert_close(found[0], out, window)
    assert_close(found[1], grad_images, window * len(weight))
    assert_close(found[2], grad_weight, grad[:, 0].size)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_under_its_windows_in_planes(bad):
    images = np.ones((2, 3, 14, 14), np.float32)
    images[1, 2, 0, 0] = bad
    weight = np.ones((3, 1, 3, 3), np.float32)
    geometry = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 3}
    grad = np.ones((2, 3, 14, 14), np.float32)
    with computed_by("numba"):
        out = kernels.conv2d(images, weight, **geometry)
        grad_weight = kernels.conv2d_weight(grad, images, kernel=(3, 3), **geometry)
    spoilt = np.zeros_like(out, bool)
    spoilt[1, 2, :2, :2] = True
    np.testing.assert_array_equal(~np.isfinite(out), spoilt)
    spoilt = np.zeros_like(weight, bool)
    spoilt[2, 0, :2, :2] = True
    np.testing.assert_array_equal(~np.isfinite(grad_weight), spoilt)


@pytest.mark.parametrize(
    ("images", "weight", "stride", "way"),
    [
        ((7, 8, 9, 9), (8, 8, 3, 3), 1, "planes"),  # few images
        ((64, 1, 9, 9), (8, 1, 3, 3), 1, "planes"),  # few numbers under a window
        ((64, 8, 20, 20), (8, 8, 3, 3), 1, "planes"),  # wide rows
        ((64, 8, 9, 9), (8, 8, 3, 3), 1, "batch"),
        ((64, 64, 9, 9), (8, 64, 1, 1), 1, "products"),  # one number of each channel
        ((2, 3, 20, 20), (8, 3, 2, 2), 2, "products"),  # windows that share no numbers
        ((0, 8, 9, 9), (8, 8, 3, 3), 1, "products"),
        ((64, 8, 9, 9), (0, 8, 3, 3), 1, "products"),
    ],
)
def test_the_way_follows_from_sizes(images, weight, stride, way):
    x, w = np.ones(images, np.float32), np.ones(weight, np.float32)
    counts = (images[2] - weight[2]) // stride + 1, (images[3] - weight[3]) // stride + 1
    geometry = {"padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    with computed_by("numba"):
        assert convolution._way(x, w, counts, (stride, stride)) == way
        out = kernels.conv2d(x, w, stride=(stride, stride), **geometry)
    assert out.shape == (len(x), len(w), *counts)


def test_whole_numbers_go_to_numpy():
    images, weight = np.ones((8, 4, 5, 5), np.int64), np.ones((2, 4, 3, 3), np.int64)
    geometry = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    with computed_by("numba"):
        out = kernels.conv2d(images, weight, **geometry)
    assert out.dtype == np.int64
    assert (out == 36).all()


@given(
    batch=st.sampled_from([8, 9, 40]),
    channels=st.tuples(st.integers(4, 5), st.integers(4, 5)),
    sizes=st.tuples(st.integers(3, 9), st.integers(3, 19)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    layout=st.sampled_from(["contiguous", "strided", "read-only"]),
)
def test_tiles_give_the_same_as_windows_one_by_one(batch, channels, sizes, padding, layout):
    rng = np.random.default_rng(batch)
    images = rng.standard_normal((batch, channels[0], *sizes)).astype(np.float32)
    weight = rng.standard_normal((*channels[::-1], 3, 3)).astype(np.float32)
    around = tuple((size, size) for size in padding)
    geometry = {"stride": (1, 1), "padding": around, "dilation": (1, 1), "groups": 1}
    out, grad, grad_images, grad_weight = exact(images, weight, geometry)
    with computed_by("numba"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "LEAST", 1)
        patch.setattr(winograd, "SMALLEST", 1)
        called = noting(patch, winograd, ("convolve", "convolve_weight"))
        found = computed(laid_out(images, layout), weight, grad, geometry)
        images[1, 2, 1, 2] = np.inf
        spoilt = kernels.conv2d(images, weight, **geometry)
    assert called == ["convolve", "convolve", "convolve_weight", "convolve"]
    assert_close(found[0], out, weight[0].size)
    assert_close(found[1], grad_images, weight[:, 0].size)
    assert_close(found[2], grad_weight, grad[:, 0].size)
    np.testing.assert_array_equal(
        np.isfinite(spoilt), np.isfinite(exact(images, weight, geometry)[0])
    )
