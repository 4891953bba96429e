"""`assert_close` passes where PyTorch's passes, and fails with its error, word for word."""

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

CASES = {
    "equal": lambda e: (e.ones(2), e.ones(2)),
    "rounding": lambda e: (e.tensor([1.0]), e.tensor([1.000001])),
    "one differs": lambda e: (e.tensor([1.0, 2.0, 3.0]), e.tensor([1.0, 2.0, 4.0])),
    "two dimensions": lambda e: (e.zeros(2, 2), e.tensor([[0.0, 1e-3], [2.0, 0.0]])),
    "whole numbers": lambda e: (e.tensor([1, 2]), e.tensor([1, 5])),
    "bools": lambda e: (e.tensor([True, False]), e.tensor([True, True])),
    "a scalar tensor": lambda e: (e.tensor(1.0), e.tensor(2.0)),
    "numbers": lambda e: (1.0, 1.5),
    "number by zero": lambda e: (1, 0),
    "close numbers": lambda e: (1.0, 1.0 + 1e-9),
    "kinds of numbers": lambda e: (1, 1.0),
    "no check of kinds": lambda e: (1, 1.0, {"check_dtype": False}),
    "shape": lambda e: (e.ones(2), e.ones(3)),
    "dtype": lambda e: (e.ones(2), e.ones(2, dtype=e.float64)),
    "dtypes are not asked": lambda e: (e.ones(2), e.ones(2, dtype=e.int64), {"check_dtype": False}),
    "stride": lambda e: (e.ones(2, 3), e.ones(3, 2).t(), {"check_stride": True}),
    "tolerances": lambda e: (e.ones(2), e.full((2,), 1.5), {"rtol": 0.1, "atol": 0.1}),
    "exactly": lambda e: (e.ones(2), e.full((2,), 1.5), {"rtol": 0, "atol": 0}),
    "one tolerance": lambda e: (e.ones(2), e.ones(2), {"rtol": 0.1}),
    "nan": lambda e: (e.tensor([float("nan")]), e.tensor([float("nan")])),
    "equal nan": lambda e: (
        e.tensor([float("nan"), 1.0]),
        e.tensor([float("nan"), 1.0]),
        {"equal_nan": True},
    ),
    "infinite": lambda e: (e.tensor([float("inf")]), e.tensor([1.0])),
    "in a list": lambda e: ([e.ones(1), e.ones(1)], [e.ones(1), e.zeros(1)]),
    "lengths": lambda e: ([1], [1, 2]),
    "in mappings": lambda e: ({"a": [1, 2]}, {"a": [1, 3]}),
    "keys": lambda e: ({"a": 1, "b": 2}, {"a": 1, "c": 2}),
    "none": lambda e: (None, 1),
    "booleans": lambda e: (True, False),
    "unlike": lambda e: (e.ones(1), 1.0),
    "objects": lambda e: (object(), object()),
    "arrays": lambda e: (np.ones(2), np.zeros(2)),
    "a message": lambda e: (1, 2, {"msg": "mine"}),
    "a message made": lambda e: (1, 2, {"msg": lambda text: f"so: {text}"}),
    "with a gradient": lambda e: (e.ones(2, requires_grad=True), e.zeros(2)),
}


def outcome(engine, case):
    actual, expected, *settings = CASES[case](engine)
    try:
        engine.testing.assert_close(actual, expected, **(settings[0] if settings else {}))
    except (AssertionError, ValueError, TypeError) as error:
        return type(error), str(error).replace("tinygrad_mnist.Tensor", "torch.Tensor")
    return None


@pytest.mark.parametrize("case", CASES)
def test_outcome(case):
    assert outcome(ours, case) == outcome(torch, case)
