"""Signatures are read once for each operation, and tell what a call may be given."""

import inspect

import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import operation


@operation
def weighted(input: Tensor, dim: int, weight: Tensor, keepdim: bool = False) -> Tensor:
    """A sum of products."""
    return (input * weight).sum(dim, keepdim)


@operation
def shaped(input: Tensor, *sizes: int) -> Tensor:
    """The same numbers in another shape."""
    return input.reshape(sizes)


X = torch.ones(2, 3)


def test_what_is_declared_a_tensor_must_be_one():
    assert weighted(X, 0, X).tolist() == [2, 2, 2]
    assert weighted(weight=X, dim=0, input=X).tolist() == [2, 2, 2]
    with pytest.raises(TypeError, match=r"weighted\(\): argument 'weight' \(position 3\) must be"):
        weighted(X, 0, 3.0)
    with pytest.raises(TypeError, match=r"argument 'input' \(position 1\) must be Tensor, not int"):
        weighted(1, dim=0, weight=2)


def test_pythons_own_errors_come_first():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'weight'"):
        weighted(1, 0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        weighted(1, 0, X, other=2)
    with pytest.raises(TypeError, match="takes from 3 to 4 positional arguments but 5"):
        weighted(1, 0, X, True, 5)


def test_numpys_spellings_are_read():
    assert weighted(X, weight=X, axis=0, keepdims=True).shape == (1, 3)


def test_axis_is_a_dimension_wherever_pytorch_reads_it_so():
    x = torch.arange(4.0).reshape(2, 2)
    for name in ("softmax", "log_softmax", "squeeze", "unsqueeze", "unbind", "trapezoid"):
        found, expected = (getattr(torch, name)(x, **{word: 1}) for word in ("axis", "dim"))
        assert str(found) == str(expected)
    assert [each.tolist() for each in x.chunk(2, axis=1)] == [[[0], [2]], [[1], [3]]]
    with pytest.raises(TypeError, match="unexpected keyword argument 'axis'"):
        torch.flatten(x, axis=0)


def test_out_is_written_into():
    out = torch.zeros(3)
    assert weighted(X, 0, X, out=out) is out
    assert out.tolist() == weighted(X, 0, X).tolist()
    assert weighted(X, 0, X, out=None).shape == (3,)


def test_sizes_may_follow_one_by_one():
    assert shaped(X, 3, 2).shape == (3, 2)
    with pytest.raises(TypeError, match=r"shaped\(\): argument 'input' \(position 1\) must be"):
        shaped(1, 3, 2)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (torch.exp, "(input: 'Tensor') -> 'Tensor'"),
        (torch.eq, "(input: 'Tensor', other: 'Tensor | float') -> 'Tensor'"),
        (torch.asin, "(input: 'Tensor') -> 'Tensor'"),
        (torch.hypot, "(input: 'Tensor', other: 'Tensor') -> 'Tensor'"),
        (torch.exp2, "(input: 'Tensor') -> 'Tensor'"),
        (torch.argmax, "(input: 'Tensor', dim: 'int | None' = None, keepdim: 'bool' = False)"
                       " -> 'Tensor'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_signatures_are_told(function, expected):
    assert str(inspect.signature(function)) == expected


def test_pairs_have_names():
    pair = torch.sort(torch.tensor([2, 1]))
    assert type(pair).__name__ == "sort"
    assert pair._fields == ("values", "indices")
    low, high = torch.aminmax(torch.tensor([2, 1]))
    assert (low, high) == (1, 2)
    assert torch.aminmax(torch.tensor([2, 1])).max == 2
