"""Every operation of PyTorch's tables: either it agrees with PyTorch, or its name says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from tests.tools.op_tables.comparing import Calls
from tests.tools.op_tables.entries import (
    ABSENT,
    CARRIED,
    ENTRIES,
    PER_TYPE,
    counterpart,
    error_inputs,
    samples,
)
from tests.tools.op_tables.known_differences import DIFFERENT, REFUSED_DIFFERENTLY, REFUSED_IN_PART


def _cases(known: Mapping[str, str]) -> list[Any]:
    """The operations that we carry, those known to differ marked so: xfail is strict here."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=known[name]) if name in known else ())
        for name in CARRIED
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _cases(DIFFERENT))
def test_agrees_with_pytorch(name: str) -> None:
    """Values, types, shapes, records, gradients, and gradients of gradients in float64."""
    entry = ENTRIES[name]
    theirs = entry.get_op() or entry.op
    wrong = []
    for dtype in PER_TYPE:
        twice = dtype.itemsize == 8 and entry.supports_gradgrad
        for arguments in samples(entry, dtype):
            calls = Calls(theirs, counterpart(entry), arguments)
            if name in REFUSED_IN_PART and isinstance(calls.errors[1], NotImplementedError):
                continue
            found = calls.wrong_error()
            if found is None and calls.errors[0] is None:
                found = calls.wrong_result(name) or calls.wrong_gradients(twice)
            if found is not None:
                wrong.append(f"{found}: {arguments}")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _cases(REFUSED_DIFFERENTLY))
def test_refuses_what_pytorch_refuses(name: str) -> None:
    """The error inputs of the table raise PyTorch's class of error."""
    entry = ENTRIES[name]
    theirs = entry.get_op() or entry.op
    wrong = []
    for arguments in error_inputs(entry):
        calls = Calls(theirs, counterpart(entry), arguments)
        if (found := calls.wrong_error()) is not None:
            wrong.append(f"{found}: {arguments}")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("name", ABSENT)
def test_absent_names_say_so(name: str) -> None:
    """A name of the table that is not carried raises an error with a sentence."""
    error = ABSENT[name]
    if not hasattr(torch, ENTRIES[name].name.partition(".")[0]):
        assert type(error) is AttributeError  # a method: Python's own error says which
        return
    assert isinstance(error, NotImplementedError)
    assert isinstance(error, NotImplementedError)
    assert isinstance(error, AttributeError)
    assert "tinygrad_mnist" in str(error)


@pytest.mark.parametrize("known", [DIFFERENT, REFUSED_DIFFERENTLY, REFUSED_IN_PART])
def test_known_differences_are_of_the_table(known: Mapping[str, str]) -> None:
    """Every known difference names an operation that we carry, and gives a reason."""
    assert set(known) <= set(CARRIED)
    assert all(known.values())
