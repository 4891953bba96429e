"""Indices are looked at where they are read: no other thread changes them before they are used.

Here the memory of an index is as treacherous as can be: a number that was read is another one
afterwards. A program reads each once, or it reaches outside an array, which is an error in Python.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch as real_torch

import tinygrad_mnist as torch
from tinygrad_mnist.compiler.cache_entry import Declined
from tinygrad_mnist.nn import functional as F

pytestmark = [pytest.mark.usefixtures("plain"), pytest.mark.filterwarnings("error:compile")]


class Treacherous(np.ndarray[Any, Any]):
    """An array each of whose numbers can be read once."""

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not (isinstance(found, np.ndarray) and found.ndim):
            self[key] = 10**6
        return found


def at_places(x: Any, i: Any) -> Any:
    x = x.clone()
    x[i] = -1.0
    x[:, i % 3] = 2.0
    return x


def with_gradient(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def gradient(x: Any, i: Any) -> Any:
        w = x * 1
        w.requires_grad_()
        return torch.autograd.grad((function(w, i) ** 2).sum(), w)[0]

    return gradient


READS: dict[str, Callable[[Any, Any], Any]] = {
    "index": lambda x, i: x[i],
    "index along another dimension": lambda x, i: x[:, i],
    "two indices": lambda x, i: x[i, i],
    "index a view": lambda x, i: x[i.view(2, 2)],
    "index a transposed view": lambda x, i: x[i.view(2, 2).t()],
    "two sizes": lambda x, i: (x[i].sum(), x[:, :3][:, i]),
    "index_put": at_places,
    "gather": lambda x, i: x.gather(0, i[:, None].expand(4, 4)),
    "take": lambda x, i: x.take(i),
    "index_select": lambda x, i: x.index_select(1, i),
    "index_add": lambda x, i: x.index_add(0, i, x),
    "index_copy": lambda x, i: x.index_copy(0, i, x),
    "scatter": lambda x, i: x.scatter(0, i[None], x[:1]),
    "scatter_add": lambda x, i: x.scatter_add(0, i[None], x),
    "embedding": lambda x, i: F.embedding(i, x),
    "nll_loss": lambda x, i: F.nll_loss(x, i),
    "weighted cross_entropy": lambda x, i: F.cross_entropy(x, i, x[0], ignore_index=2),
}
READS |= {
    f"gradient of {name}": with_gradient(READS[name])
    for name in ("index", "two indices", "gather", "scatter_add", "embedding", "nll_loss", "take")
}


@pytest.mark.parametrize("name", READS)
def test_an_index_is_used_as_it_was_when_it_was_looked_at(name: str) -> None:
    step = torch.compile(READS[name])
    x, i = torch.rand(4, 4), torch.tensor([1, 0, 2, 1])
    step(x, i)
    (entry,) = step._entries.popitem()[1]
    before = x.clone()
    with contextlib.suppress(Declined):  # what was looked at, and read once more, is out of range
        entry.run((x, _holding(i._array.copy().view(Treacherous))))
    assert entry.built is not None, entry.notice  # it is given up where Python raises
    for bad in (-17, 16, 2**40):
        i[2] = bad
        with pytest.raises(Declined):
            entry.run((x, i))
        assert torch.equal(x, before)


def _holding(array: Any) -> Any:
    tensor = torch.zeros(1)
    tensor._array = array
    return tensor


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_indices_from_behind_are_compiled(traces: list[int], dtype: Any) -> None:
    def function(x: Any, i: Any) -> Any:
        y = x.clone()
        y[i, 1:] = 5.0
        return x[i], x[:, i - 1 + 1], y, i * 2, x[i.view(-1, 1), i], x[:, torch.tensor([-1, 0])]

    step = torch.compile(function)
    x = torch.rand(4, 4)
    for places in ([-1, 0, -4], [3, -2, 1], [-3, -3, 2]):
        i = torch.tensor(places, dtype=dtype)
        for a, b in zip(step(x, i), function(x, i), strict=True):
            assert torch.equal(a, b)
            assert a.dtype is b.dtype
    assert len(traces) == 1
    for index in (torch.tensor([-1]), torch.tensor([-1, -1]), torch.tensor([0])):
        last = torch.compile(
            lambda x, index=index: (x[index], x[0].scatter_add(0, index % 1, x[1]))
        )
        assert torch.equal(last(x)[0], x[index])
        assert last.source
    single = torch.compile(lambda x, i: x.scatter_add(-1, i, x))
    assert single(x[0, 0], torch.tensor(0)).item() == 2 * x[0, 0].item()
    assert single.source
    one = with_gradient(lambda x, i: F.nll_loss(x, i, torch.ones(1)))
    assert torch.compile(one)(x[:1, :1], i[:1].long() * 0).item() == pytest.approx(
        2 * x[0, 0].item()
    )


@pytest.mark.parametrize("ignored", [-100, -1, 2, 7])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, [0.5, 1.0, 2.0, 0.3]])
def test_labels_that_are_ignored_are_compiled_as_pytorch_has_them(
    ignored, reduction, weight, traces
):
    def stepping(engine):
        w = engine.zeros(3, 4).requires_grad_()
        each = None if weight is None else engine.tensor(weight)
        options = {"ignore_index": ignored, "reduction": reduction, "weight": each}

        def step(x, y):
            w.grad = None
            loss = engine.nn.functional.cross_entropy(x @ w, y, **options)
            loss.sum().backward()
            return loss.detach(), w.grad

        return step

    ours, theirs = torch.compile(stepping(torch)), stepping(real_torch)
    random = np.random.default_rng(0)
    for rows, count in ((6, 0), (6, 2), (6, 6), (7, 3), (9, 0), (1, 1), (6, 1), (9, 9)):
        x = random.standard_normal((rows, 3), np.float32)
        y = random.integers(0, 4, rows)
        y[:count] = ignored
        wanted = theirs(real_torch.tensor(x), real_torch.tensor(y))
        for a, b in zip(ours(torch.tensor(x), torch.tensor(y)), wanted, strict=True):
            np.testing.assert_allclose(a, b, 1e-4, 1e-6)
    assert len(traces) <= 7
    with pytest.raises(IndexError):
        ours(torch.tensor(x), torch.full((9,), 9))
