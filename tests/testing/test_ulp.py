"""Differences in units in the last place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mnist.testing import ulp_difference

FLOATS = (np.float32, np.float64)


@pytest.mark.parametrize("kind", FLOATS)
@given(st.floats(1e-30, 1e30), st.integers(0, 20))
def test_counts_the_steps_between_neighbours(kind, number, steps):
    start = kind(number)
    end = start
    for _ in range(steps):
        end = np.nextafter(end, kind(np.inf))
    counted = ulp_difference(np.array([end]), np.array([start]))
    assert steps / 2 <= counted[0] <= steps


@pytest.mark.parametrize("kind", FLOATS)
def test_what_is_not_finite(kind):
    ours = np.array([np.nan, np.inf, -np.inf, np.inf, np.nan, 1.0, 1.0], kind)
    theirs = np.array([np.nan, np.inf, -np.inf, -np.inf, 1.0, np.inf, np.nan], kind)
    assert ulp_difference(ours, theirs).tolist() == [0, 0, 0, np.inf, np.inf, np.inf, np.inf]


def test_both_zeros_are_equal():
    assert ulp_difference(np.array([-0.0]), np.array([0.0])) == 0


def test_scale_is_what_ulp_are_counted_of():
    ours, theirs = np.array([1.0 + 2**-20], np.float32), np.ones(1, np.float32)
    assert ulp_difference(ours, theirs) == 8
    assert ulp_difference(ours, theirs, scale=np.float32(1024.0)) == 8 / 1024
    assert ulp_difference(ours, theirs, scale=np.float32(1e-3)) == 8
    assert ulp_difference(ours, theirs, scale=np.float32(np.nan)) == 8


def test_the_smallest_numbers_share_one_unit():
    tiny = np.finfo(np.float32).tiny
    assert ulp_difference(np.float32([tiny / 2**23]), np.float32([0])) == 1


@pytest.mark.parametrize("kind", [np.int64, bool])
def test_whole_numbers_are_equal_or_not(kind):
    counted = ulp_difference(np.array([1, 0], kind), np.array([1, 1], kind))
    assert counted.tolist() == [0, np.inf]
