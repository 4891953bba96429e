"""The public functions: PyTorch's signatures, results, types, layouts and errors."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours


def load_calls():
    spec = importlib.util.spec_from_file_location("calls", Path(__file__).with_name("calls.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


calls = load_calls()


def evaluate(module, call):
    module.manual_seed(3)
    names = {
        "torch": module,
        "T": module.tensor,
        "E": module.empty,
        "G": lambda seed=0: module.Generator().manual_seed(seed),
        "g": module.Generator().manual_seed(5),
        "L": module.zeros(2, requires_grad=True),
        "N": module.zeros(2, requires_grad=True) * 1,
        "I": module.zeros(2, dtype=module.int64),
        "np": np,
    }
    return eval(call, names)


def outcome(module, call):
    """What a call comes to, in terms that both packages share."""
    try:
        result = evaluate(module, call)
    except Exception as error:
        # PyTorch goes on to list signatures, and its C++ frames.
        text = str(error).split(", but expected one of")[0].split("\n")[0]
        return type(error).__name__, text
    if isinstance(result, module.Generator):
        return "generator", result.initial_seed()
    if not isinstance(result, module.Tensor):
        return repr(result)
    return {
        "values": result.detach().numpy().tolist(),
        "dtype": str(result.dtype),
        "shape": tuple(result.shape),
        "strides": result.stride() if result.numel() else None,
        "requires_grad": result.requires_grad,
        "grad_fn": type(result.grad_fn).__name__,
        "version": result._version,
    }


@pytest.mark.parametrize("call", calls.SAME_OUTCOME.split("\n")[1:-1])
@pytest.mark.filterwarnings("ignore:.*is out of bounds:UserWarning")
def test_same_outcome(call):
    assert outcome(ours, call) == outcome(torch, call)


@pytest.mark.parametrize("call", calls.SAME_ERROR_CLASS.split("\n")[1:-1])
def test_same_error_class(call):
    kind, text = outcome(ours, call)
    assert kind == outcome(torch, call)[0]
    assert len(text) > 10


@pytest.mark.parametrize("call", ["E(2).random_(2**25)", "torch.randint(2**54, (2,), dtype=float)"])
def test_floats_warn_of_ranges_with_gaps(call):
    def warnings_of(module):
        with pytest.warns(UserWarning, match="is out of bounds") as caught:
            evaluate(module, call)
        return [str(each.message).split(" (Triggered")[0] for each in caught], caught

    texts, caught = warnings_of(ours)
    assert texts == warnings_of(torch)[0]
    assert [each.filename for each in caught] == ["<string>"]


@pytest.mark.parametrize(
    "call",
    [
        "torch.rand(2, device='cuda')",
        "torch.Generator('cuda')",
        "torch.randperm(2**32 // 20)",
    ],
)
def test_refusals_name_the_way_round(call):
    with pytest.raises((AssertionError, NotImplementedError), match=r"\. |: |, and|copy_"):
        evaluate(ours, call)
