"""Operations as methods: which there are, and that no NumPy scalar and no warning escapes."""

import inspect
import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist import names
from tinygrad_mnist._tensor.methods import parameter_names

OPERATIONS = {name: names.operation(name) for name in names.METHODS}
UNARY = [name for name in OPERATIONS if len(parameter_names(OPERATIONS[name])) == 1]
BINARY = [
    name
    for name in OPERATIONS
    if parameter_names(OPERATIONS[name])[:2] in (("input", "other"), ("input", "exponent"))
]
HARD = [0.0, -1.0, 1e30, -1e30, np.inf, -np.inf, np.nan]


def test_every_method_is_one_of_pytorch_s():
    assert set(OPERATIONS) <= set(dir(torch.Tensor))


def test_every_method_is_the_function_of_that_name():
    for name in OPERATIONS:
        if hasattr(torch, name):
            assert hasattr(tinygrad_mnist, name), name
        assert getattr(tinygrad_mnist.Tensor, name).__doc__, name


def test_methods_take_named_arguments():
    x = tinygrad_mnist.tensor([1.0, 4.0])
    assert x.mul(other=2).tolist() == [2, 8]
    assert x.add(other=x, alpha=2).tolist() == [3, 12]
    assert x.sum(dim=0).item() == 5
    assert x.clamp(max=2).tolist() == [1, 2]
    with pytest.raises(TypeError):
        x.exp(x)
    with pytest.raises(TypeError):
        x.mul(2, 3)


def tensors(result):
    found = result if isinstance(result, tuple | list) else (result,)
    return [each for each in found if isinstance(each, tinygrad_mnist.Tensor)]


@pytest.mark.filterwarnings("ignore:cov", "ignore:adjoint")
@pytest.mark.parametrize("shape", [(), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_tensors_hold_arrays_however_few_their_numbers(name, shape):
    for kind in (tinygrad_mnist.float32, tinygrad_mnist.int64, tinygrad_mnist.bool):
        x = tinygrad_mnist.ones(shape, dtype=kind)
        inputs = (x,) if name in UNARY else (x, x)
        theirs = [torch.ones(shape, dtype=getattr(torch, kind.name)) for _ in inputs]
        try:
            expected = getattr(torch.Tensor, name)(*theirs)
        except (RuntimeError, IndexError, TypeError):
            continue
        result = getattr(x, name)(*inputs[1:])
        for each in tensors(result):
            assert type(each._array) is np.ndarray, (name, kind)
        if isinstance(expected, torch.Tensor):
            assert tuple(result.shape) == tuple(expected.shape)
            assert str(result.dtype) == str(expected.dtype)


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_no_numpy_warning_escapes(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        x = tinygrad_mnist.tensor(HARD, requires_grad=True)
        inputs = [x, tinygrad_mnist.tensor(HARD[::-1], requires_grad=True)]
        try:
            result = getattr(x, name)(*([] if name in UNARY else inputs[1:]))
        except (RuntimeError, IndexError, TypeError):
            return
        for each in tensors(result):
            if each.requires_grad and name not in ("floor_divide", "igamma", "igammac"):
                each.sum().backward()
        if hasattr(tinygrad_mnist.Tensor, name + "_") and name != "float_power":
            target = tinygrad_mnist.tensor(HARD)
            getattr(target, name + "_")(*([] if name in UNARY else [inputs[1].detach()]))


def test_signatures_can_be_read():
    assert "other" in str(inspect.signature(tinygrad_mnist.Tensor.add))
    assert "dtype" in str(inspect.signature(tinygrad_mnist.tensor))
