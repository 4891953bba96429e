"""Pooling: both twins give the same bits, and PyTorch's numbers and places."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, laid_out
from tinygrad_mnist import kernels

SPECIAL = (np.nan, np.inf, -np.inf, 1.0)


@st.composite
def pooled(draw):
    """Images, some of whose numbers are equal or extreme, and windows that fit."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    sizes = tuple(d * (k - 1) + 1 + draw(st.integers(0, 6))
                  for k, d in zip(kernel, dilation, strict=True))  # fmt: skip
    shape = draw(st.sampled_from([(), (3,), (2, 3)])) + sizes
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = rng.integers(-3, 4, shape).astype(draw(st.sampled_from([np.float32, np.float64])))
    for place in draw(st.lists(st.integers(0, images.size - 1), max_size=9)):
        images.flat[place] = draw(st.sampled_from(SPECIAL))
    layout = draw(st.sampled_from(["contiguous", "strided", "transposed", "read-only"]))
    return laid_out(images, layout), kernel, stride, padding, dilation


def windows(size, kernel, stride, padding, dilation):
    return tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


@given(given=pooled())
def test_the_places_of_the_largest_are_pytorchs(given):
    images, kernel, stride, padding, dilation = given
    counts = windows(images.shape[-2:], kernel, stride, padding, dilation)
    borders = tuple((p, p) for p in padding)
    batched = torch.from_numpy(np.array(images.reshape(-1, 1, *images.shape[-2:])))
    largest, expected = torch.nn.functional.max_pool2d(
        batched, kernel, stride, padding, dilation, return_indices=True
    )
    for twin in TWINS:
        with computed_by(twin):
            places = kernels.place_of_max(images, kernel, stride, borders, dilation, counts)
            picked = kernels.pick(images, places)
            back = kernels.put_back(picked, places, images.shape)
        # A window that no number is under has a place in PyTorch, too, but none in the image.
        inside = places >= 0
        theirs = expected.numpy().reshape(places.shape)
        np.testing.assert_array_equal(places[inside], theirs[inside])
        assert (picked[~inside] == -np.inf).all()
        np.testing.assert_array_equal(picked, largest.numpy().reshape(places.shape))
        total = np.zeros((len(batched), images.shape[-2] * images.shape[-1]), images.dtype)
        with np.errstate(invalid="ignore"):
            for image, at, values in zip(
                total, places.reshape(len(total), -1), picked.reshape(len(total), -1), strict=True
            ):
                np.add.at(image, at[at >= 0], values[at >= 0])
        np.testing.assert_array_equal(back, total.reshape(images.shape))


@given(given=pooled())
def test_sums_under_windows_have_the_same_bits_from_either_twin(given):
    images, kernel, stride, padding, _ = given
    counts = windows(images.shape[-2:], kernel, stride, padding, (1, 1))
    borders = tuple(
        (p, max(0, (n - 1) * s + k - size - p))
        for p, n, s, k, size in zip(padding, counts, stride, kernel, images.shape[-2:], strict=True)
    )
    if min(counts) < 1:
        return
    images = images + images.dtype.type(1 / 3)
    found = []
    for twin in TWINS:
        with (
            computed_by(twin),
            pytest.MonkeyPatch.context() as patch,
            np.errstate(invalid="ignore"),
        ):
            patch.setattr("tinygrad_mnist.kernels.pooling.LARGE_WINDOW", 1)
            total = kernels.window_sum(images, kernel, stride, borders, counts)
            spread = kernels.window_spread(
                total, images.shape[-2:], kernel, stride, borders, counts
            )
        found.append((total, spread))
    (total, spread), (loop_total, loop_spread) = found
    assert total.shape == (*images.shape[:-2], *counts)
    assert spread.shape == images.shape
    np.testing.assert_array_equal(total, loop_total)
    np.testing.assert_array_equal(spread, loop_spread)


def test_sums_under_windows_are_pytorchs():
    images = np.random.default_rng(0).standard_normal((3, 2, 9, 11)).astype(np.float32)
    expected = torch.nn.functional.avg_pool2d(
        torch.from_numpy(images), (4, 5), (3, 2), (2, 1), divisor_override=1
    )
    borders = ((2, 2), (1, 1))
    for twin in TWINS:
        with computed_by(twin):
            total = kernels.window_sum(images, (4, 5), (3, 2), borders, expected.shape[2:])
        np.testing.assert_allclose(total, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("twin", TWINS)
def test_whole_numbers(twin):
    images = np.array([[[-5, -7], [-6, -9]]])
    lowest = np.full((1, 2, 2), np.iinfo(np.int64).min)
    with computed_by(twin):
        window = (2, 2), (1, 1), ((1, 0), (1, 0)), (1, 1), (2, 2)
        places = kernels.place_of_max(images, *window)
        np.testing.assert_array_equal(places, [[[0, 0], [0, 0]]])
        np.testing.assert_array_equal(kernels.place_of_max(lowest, *window), places)
        np.testing.assert_array_equal(kernels.pick(images, places), [[[-5, -5], [-5, -5]]])
        np.testing.assert_array_equal(
            kernels.put_back(images, np.zeros_like(places), (1, 2, 2)), [[[-27, 0], [0, 0]]]
        )


@pytest.mark.parametrize("twin", TWINS)
def test_a_window_that_no_number_is_under(twin):
    images = np.array([[[1.0]], [[2.0]]])
    with computed_by(twin):
        places = kernels.place_of_max(images, (2, 2), (2, 2), ((1, 1), (1, 1)), (2, 2), (1, 1))
        picked = kernels.pick(images, places)
        back = kernels.put_back(np.ones_like(picked), places, images.shape)
    assert (places == -1).all()
    assert (picked == -np.inf).all()
    assert (back == 0).all()


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("place", [-2, 12, 2**62])
def test_a_place_outside_the_image_is_an_error(twin, place):
    images, places = np.ones((2, 3, 4)), np.array([[[0, 1]], [[place, 3]]])
    with computed_by(twin):
        for function, given in ((kernels.pick, (images, places)),
                                (kernels.put_back, (places * 1.0, places, (2, 3, 4)))):  # fmt: skip
            with pytest.raises(IndexError, match="outside its image"):
                function(*given)
