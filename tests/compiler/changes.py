"""Changes between two calls of a compiled function, and how they are held against eager mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygrad_mnist as torch

Case = Callable[[Any], Iterator[Callable[..., Any]]]
"""Given what compiles: yields what is to be called, and makes a change before it goes on."""


def plain(result: Any) -> Any:
    """A result with numbers in place of tensors, which later calls may change."""
    if isinstance(result, torch.Tensor):
        return result.dtype, result.requires_grad, result.detach().numpy().copy()
    return [plain(part) for part in result] if isinstance(result, list | tuple) else result


def results(case: Case, compile: Any) -> list[Any]:
    """What is returned by two calls before the first change, and two after each."""
    torch.manual_seed(0)
    found = []
    for function in case(compile):
        found += [plain(function(torch.tensor([1.0, 2.0]))) for _ in range(2)]
    return found


def assert_alike(found: Any, wanted: Any) -> None:
    """Equal to rounding, through lists."""
    assert type(found) is type(wanted)
    if isinstance(wanted, list | tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert_alike(one, other)
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    else:
        assert found == wanted


def check(case: Case) -> None:
    """Compiled, each call gives what it gives in eager mode, and the changes show."""
    wanted = results(case, lambda function: function)
    assert_alike(results(case, torch.compile), wanted)
    assert len({str(each) for each in wanted}) > 1


def of(make: Callable[[], Any], read: Callable[..., Any], *changes: Callable[[Any], Any]) -> Case:
    """The case of an object that is made, what a function computes with it, what happens to it."""

    def case(compile: Any) -> Iterator[Callable[..., Any]]:
        held = make()
        function = compile(lambda x: read(held, x))
        yield function
        for change in changes:
            change(held)
            yield function

    return case
