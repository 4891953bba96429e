"""Tensors beside numbers, and what is no tensor: types and refusals of every operation."""

import itertools
import operator

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

ENGINES = (tinygrad_mnist, torch)
OPERATORS = """
    add and_ eq floordiv ge gt iadd iand ifloordiv imod imul ior ipow isub itruediv ixor le lshift
    lt mod mul ne or_ pow rshift sub truediv xor"""


def arrays(row):
    return [isinstance(each, np.ndarray) for each in row.sample("ordinary", 0).arguments]


OF_TWO = [
    (name, engine_of)
    for row in OPERATIONS
    for name in row.names
    if arrays(row) == [True, True] and hasattr(torch, name) and hasattr(tinygrad_mnist, name)
    for engine_of in (lambda engine, name=name: getattr(engine, name),)
] + [
    (f"operator {name}", lambda _, name=name: getattr(operator, name)) for name in OPERATORS.split()
]


def outcome(function, engine, kind, shape, number, reflected):
    """The type and the numbers of a result, or the class of the error."""
    tensor = engine.full(shape, 2, dtype=getattr(engine, kind))
    try:
        result = function(*(number, tensor) if reflected else (tensor, number))
    except (TypeError, RuntimeError) as error:
        return NotImplementedError if isinstance(error, NotImplementedError) else type(error)
    if not isinstance(result, engine.Tensor):
        return type(result)
    return str(result.dtype), np.asarray(result.numpy(), np.float64).round(5).tolist()


@pytest.mark.parametrize(("name", "of"), OF_TWO, ids=[name for name, _ in OF_TWO])
def test_a_tensor_and_a_number_give_pytorch_s_type(name, of):
    kinds = ("bool", "uint8", "int32", "int64", "float32", "float64")
    for case in itertools.product(kinds, ((), (2,)), (True, 3, 2.5), (False, True)):
        ours, theirs = [outcome(of(engine), engine, *case) for engine in ENGINES]
        assert ours == theirs or NotImplementedError in (ours, theirs), case


REFUSED_OTHERWISE = {
    *[name for row in OPERATIONS for name in row.names if "functional" in name],
    "Tensor.float_power_", "Tensor.where", "conv2d", "conv_transpose2d", "where",
}  # fmt: skip
"""Those that refuse what is no tensor by another class of error than PyTorch's TypeError."""


@pytest.mark.parametrize("source", [
    "torch.mul(2, 3)", "torch.mul(np.float64(2), 3)", "torch.floor_divide(7.0, 2)",
    "torch.eq(1, 2)", "torch.abs(1.0)", "torch.abs(input=x)", "torch.abs(x, x)", "torch.abs()",
    "torch.mul(2, other=x)", "torch.mul(input=x, other=np.ones(2))", "torch.mul(2, x)",
    "torch.abs(input=np.ones(2))",
    "True << x.int()", "3 >> x.int()", "torch.pow(x > 0, True)", "torch.pow(x > 1, False)",
])  # fmt: skip
def test_calls_of_operations_with_and_without_tensors(source):
    found = []
    for engine in ENGINES:
        try:
            result = eval(source, {"torch": engine, "np": np, "x": engine.ones(2)})
            found.append((str(result.dtype), result.tolist()))
        except TypeError:
            found.append(TypeError)
    assert found[0] == found[1]


def calls(what):
    """Calls of every operation in which one tensor is replaced."""
    for row in OPERATIONS:
        sample = row.sample("ordinary", 0)
        for position, array in enumerate(sample.arguments):
            given = array if what == "array" else what
            for name in row.names if isinstance(array, np.ndarray) and row.public else ():
                if not (name.startswith("Tensor.") and position == 0) and row.function is None:
                    yield row, name, sample, position, given


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", ["array", "text"])
def test_what_is_no_tensor_is_refused_where_pytorch_refuses_it(what):
    tried, accepted, other_class = 0, [], []
    for row, name, sample, position, given in calls(what):
        errors = []
        for engine in ENGINES:
            arguments = list(twin(engine, tuple(map(read, sample.arguments))).arguments)
            arguments[position] = given
            try:
                row.call(engine, name, *arguments, **sample.options)
            except Exception as error:
                errors.append(type(error))
            else:
                errors.append(None)
        tried += 1
        if errors[0] is None and errors[1] is not None:
            accepted.append((name, position))
        if errors[1] is TypeError and errors[0] is not TypeError and name not in REFUSED_OTHERWISE:
            other_class.append((name, position, errors[0]))
    assert tried > 600
    assert accepted == []
    assert other_class == []


@pytest.mark.parametrize("source", [
    "torch.add(x, x, alpha=s)", "torch.sub(x, x, alpha=s)", "torch.rsub(x, x, alpha=s)",
    "torch.addcmul(x, x, x, value=s)", "torch.addmv(x, m, x, beta=s)", "torch.logit(x, s)",
    "torch.nan_to_num(x, s)", "torch.renorm(m, s, 0, 1.0)", "x.add(x, alpha=s)",
    "torch.index_add(x, 0, torch.tensor([0, 1]), x, alpha=s)", "torch.cdist(m, m, s)",
])  # fmt: skip
def test_a_number_that_requires_a_gradient_is_refused(source):
    for engine in ENGINES:
        names = {"torch": engine, "x": engine.ones(2), "m": engine.ones(2, 2)}
        eval(source, names | {"s": engine.tensor(1.0)})
        with pytest.raises(TypeError):
            eval(source, names | {"s": engine.tensor(1.0, requires_grad=True)})
