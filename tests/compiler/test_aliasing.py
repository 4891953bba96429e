"""Who shares memory with whom, after a compiled call as after the same call uncompiled.

Views of arguments, of captured tensors, of parameters and of what is computed, with changes in
place before, after and through the view: objects, bases, versions, records, memory, gradients.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn

pytestmark = pytest.mark.usefixtures("plain")

VIEWS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "select": lambda x: x[1],
    "slice": lambda x: x[:, 1:],
    "step": lambda x: x[::2, ::2],
    "element": lambda x: x[1, 2],
    "none": lambda x: x[None],
    "t": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "transpose and slice": lambda x: x.transpose(0, 1)[1:],
    "view": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(2, 6),
    "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.squeeze(),
    "narrow": lambda x: x.narrow(0, 1, 2),
    "select and view": lambda x: x[1].view(2, 2),
    "expand": lambda x: x[:, :1].expand(3, 4),
    "diagonal": lambda x: x.diagonal(),
    "split": lambda x: x.split(2, 1),
    "movedim": lambda x: x.movedim(0, 1),
    "view_as": lambda x: x.view_as(x),
    "detach": lambda x: x.detach(),
    "detached view": lambda x: x[1].detach(),
    "view of detached": lambda x: x.detach()[1],
    "data": lambda x: x.data,
    "view of data": lambda x: x.data[1],
    "two of one": lambda x: (x[0], x[0]),
    "overlapping": lambda x: (x[:2], x[1:]),
    "one object twice": lambda x: (lambda v: (v, [v]))(x[1]),
    "it and its view": lambda x: (x, x.t(), x.detach()),
    "chunks": lambda x: x.chunk(3),
    "unbind": lambda x: x.unbind(),
    "contiguous": lambda x: x.contiguous(),
    "to": lambda x: x.to(x.dtype),
    "without records": lambda x: torch.no_grad()(lambda: x[1])(),
    "copy": lambda x: x[1].clone(),
    "copy in another order": lambda x: x.t() * 2,
}
CHANGES = {
    "plain": lambda x, view: view(x),
    "changed before": lambda x, view: (x.add_(1), view(x))[1],
    "changed after": lambda x, view: (view(x), x.mul_(3))[0],
    "changed through another": lambda x, view: (view(x), x[2].zero_(), x.t().add_(1))[0],
}


def argument(call: Any) -> Any:
    return call, lambda make: make()


def computed_argument(call: Any) -> Any:
    return call, lambda make: make().requires_grad_() * 1


def leaf(call: Any) -> Any:
    return torch.no_grad()(call), lambda make: make().requires_grad_()


def differentiated_leaf(call: Any) -> Any:
    return call, lambda make: make().requires_grad_()


def captured(call: Any) -> Any:
    tensor = torch.arange(12.0).view(3, 4) + 0.0
    return lambda x: (call(tensor), tensor, (x * 2).sum()), lambda make: make()


def parameter(call: Any) -> Any:
    tensor = nn.Parameter(torch.arange(12.0).view(3, 4) + 0.0)
    return lambda x: (call(tensor), tensor), lambda make: make()


def computed(call: Any) -> Any:
    return lambda x: call(x * 2), lambda make: make()


def computed_and_base(call: Any) -> Any:
    return lambda x: (lambda y: (call(y), y, x))(x * 2), lambda make: make()


def computed_with_gradients(call: Any) -> Any:
    return lambda x: (lambda y: (call(y), y))(x * 2), lambda make: make().requires_grad_()


ORIGINS = [
    argument, computed_argument, leaf, differentiated_leaf, captured, parameter, computed,
    computed_and_base, computed_with_gradients,
]  # fmt: skip


def tensors_in(result: Any) -> list[Any]:
    if isinstance(result, tuple | list):
        return [tensor for part in result for tensor in tensors_in(part)]
    return [result]


def alike(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b))


def told(tensors: list[Any]) -> list[Any]:
    """What can be seen of tensors and of how they share memory, without changing them."""
    seen: list[Any] = [(t.shape, t.stride(), t.dtype, t.tolist(), t.is_leaf) for t in tensors]
    seen += [(t.requires_grad, t._is_view(), t._base is None) for t in tensors]
    seen += [t.grad_fn is None for t in tensors]
    pairs = list(itertools.combinations(tensors, 2))
    seen += [(a is b, a._base is b, b._base is a, a._counter is b._counter) for a, b in pairs]
    return [*seen, [np.shares_memory(a._array, b._array) for a, b in pairs]]


def written_through(tensors: list[Any]) -> list[Any]:
    """What all of the tensors hold, and their versions, as one after the other is written."""
    seen = []
    for number, tensor in enumerate(tensors, 100):
        try:
            with torch.no_grad():
                tensor[...] = number
        except RuntimeError as error:
            seen.append(str(error)[:40])
        seen.append([each.tolist() for each in tensors])
    return seen


def gradients(tensors: list[Any], x: Any) -> Any:
    """The gradients of everything that has some, by what was given."""
    totals = [(t * t).sum() for t in tensors if t.requires_grad]
    sources = [t for t in (x, *tensors) if t.requires_grad and t.is_leaf]
    if not totals or not sources:
        return None
    found = torch.autograd.grad(sum(totals), sources, allow_unused=True)
    return [None if each is None else each.tolist() for each in found]


def outcome(function: Any, make: Any) -> list[Any]:
    """Everything about two calls; or the error."""
    said: list[Any] = []
    for n in range(2):
        x = make(lambda n=n: (torch.arange(12.0) + n).view(3, 4) * 1)
        before = x._version
        try:
            tensors = [x, *tensors_in(function(x))]
            said.append((tensors[0]._version - before, told(tensors)))
            said.append(gradients(tensors, x))
        except RuntimeError as error:
            said.append(str(error))
            continue
        said.append(written_through(tensors))
    return said


@pytest.mark.parametrize("origin", ORIGINS)
def test_memory_is_shared_as_uncompiled(origin: Any) -> None:
    differ = []
    others = itertools.cycle(list(CHANGES)[1:])
    for name, kind in [(name, kind) for name in VIEWS for kind in ("plain", next(others))]:
        change, view = CHANGES[kind], VIEWS[name]

        def call(x: Any, change: Any = change, view: Any = view) -> Any:
            return change(x, view)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eager, make = origin(call)
            wanted = outcome(eager, make)
            function, make = origin(call)
            found = outcome(torch.compile(function), make)
        if found != wanted:
            differ.append((name, kind))
    assert differ == []
