"""A size is a tuple that behaves and fails as PyTorch's does."""

# Concatenation is what is tested here.
# ruff: noqa: RUF005

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_mnist.engine.size import Size

lengths = st.lists(st.integers(0, 2**20), max_size=6)


class Index:
    """Stands for an integer."""

    def __index__(self):
        return 4


class Pair(tuple):
    """A tuple of another class."""


def outcome(expression, kind):
    """What `expression` gives for a size class: type, printed text; or the error's class, text."""
    try:
        result = expression(kind)
    except Exception as error:
        return type(error), str(error)
    return type(result).__name__, repr(result)


def check(expression):
    assert outcome(expression, Size) == outcome(expression, torch.Size)


@given(lengths=lengths, other=lengths, count=st.integers(-2, 3))
def test_sizes_of_all_lengths(lengths, other, count):
    check(lambda kind: kind(lengths))
    check(lambda kind: kind(lengths) + kind(other))
    check(lambda kind: kind(lengths) + tuple(other))
    check(lambda kind: tuple(other) + kind(lengths))
    check(lambda kind: kind(lengths) * count)
    check(lambda kind: count * kind(lengths))
    assert Size(lengths).numel() == math.prod(lengths)
    assert Size(lengths) == tuple(lengths)
    assert hash(Size(lengths)) == hash(tuple(lengths))


@given(
    lengths=lengths,
    part=st.slices(6),
    index=st.integers(-7, 7),
)
def test_slices_are_sizes_and_items_are_integers(lengths, part, index):
    check(lambda kind: kind(lengths)[part])
    check(lambda kind: kind(lengths)[index])


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(),
        lambda kind: kind((1, 2)),
        lambda kind: kind(range(3)),
        lambda kind: kind(length for length in (1, 2)),
        lambda kind: kind(b"ab"),
        lambda kind: kind([True, 2]),
        lambda kind: kind([True])[0],
        lambda kind: kind([-1]),
        lambda kind: kind([np.int64(3), np.uint8(2)]),
        lambda kind: kind([Index()]),
        lambda kind: kind([torch.tensor(3)]),
        lambda kind: kind(kind([1, 2])),
        lambda kind: kind([0, 3]).numel(),
        lambda kind: kind([]).numel(),
        lambda kind: str(kind([1, 2])),
        lambda kind: f"{kind([1, 2])}",
        lambda kind: list(kind([1, 2])),
        lambda kind: kind([1, 2])[np.int64(1)],
        lambda kind: kind([1]) + Pair((2,)),
        lambda kind: Pair((2,)) + kind([1]),
        lambda kind: sum([kind([1]), kind([2])], ()),
        lambda kind: kind([1]) + (True,),
        lambda kind: kind([2]) * True,
        lambda kind: kind([2]) * np.int64(2),
        lambda kind: kind([2]) + np.array([1, 2]),
        lambda kind: np.array([1, 2]) + kind([2]),
        lambda kind: kind([2]) * np.array([1, 2]),
        lambda kind: np.zeros(kind([2, 3])).shape,
        lambda kind: kind([1, 2]) == [1, 2],
        lambda kind: kind([1, 2]) < (1, 3),
    ],
)
def test_construction_and_arithmetic(make):
    result = outcome(make, Size)
    assert not isinstance(result[0], type), result
    assert result == outcome(make, torch.Size)


@pytest.mark.parametrize(
    "fail",
    [
        lambda kind: kind(5),
        lambda kind: kind(None),
        lambda kind: kind([1.0]),
        lambda kind: kind([1, "a"]),
        lambda kind: kind("12"),
        lambda kind: kind([[1]]),
        lambda kind: kind([None]),
        lambda kind: kind([1]) + [2],
        lambda kind: kind([1]) + 5,
        lambda kind: kind([1]) + None,
        lambda kind: kind([1]) + ("a",),
        lambda kind: ("a",) + kind([1]),
        lambda kind: kind([1]) + (1.5,),
        lambda kind: kind([1]) * 1.5,
        lambda kind: 1.5 * kind([1]),
        lambda kind: kind([1]) * "a",
        lambda kind: kind([1])[5],
        lambda kind: kind([1])["a"],
        lambda kind: kind([1])[0.5],
        lambda kind: kind([1]).index(5),
    ],
)
def test_errors_have_pytorchs_class_and_text(fail):
    error, message = outcome(fail, Size)
    assert issubclass(error, Exception)
    assert (error, message) == outcome(fail, torch.Size)


@pytest.mark.parametrize(
    "fail",
    [
        lambda kind: [4] + kind([1]),
        lambda kind: 5 + kind([1]),
        lambda kind: kind([1]) * kind([1]),
        lambda kind: kind([kind([1])]),
        lambda kind: kind([np.float64(3)]),
        lambda kind: kind(a=1),
        lambda kind: f"{kind([1]):>5}",
    ],
)
def test_errors_that_name_a_class_differ_in_the_name_alone(fail):
    """CPython's own messages say "Size" for a class written in Python."""
    assert outcome(fail, Size)[0] is outcome(fail, torch.Size)[0] is TypeError


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_and_copies_are_sizes(protocol):
    size = Size([1, 2])
    for twin in (
        pickle.loads(pickle.dumps(size, protocol)),
        copy.copy(size),
        copy.deepcopy(size),
    ):
        assert type(twin) is Size
        assert twin == size


def test_a_size_cannot_be_changed():
    size = Size([1, 2])
    with pytest.raises(AttributeError):
        size.length = 1
    with pytest.raises(TypeError):
        size[0] = 1
