"""Parameter and Buffer: memory, text, copies; as PyTorch has them."""

import copy
import pickle

import pytest

import tinygrad_mnist
from tests.nn.agreement import agree, fails

JOBS = {
    "text": lambda e: repr(e.nn.Parameter(e.tensor([1.0, 2.5]))),
    "text without gradient": lambda e: repr(e.nn.Parameter(e.ones(1), requires_grad=False)),
    "no data": lambda e: (repr(e.nn.Parameter()), e.nn.Parameter().shape == (0,)),
    "integers": lambda e: repr(e.nn.Parameter(e.arange(2), requires_grad=False)),
    "of a parameter": lambda e: repr(e.nn.Parameter(e.nn.Parameter(e.ones(1)))),
    "result": lambda e: type(e.nn.Parameter(e.ones(1)) * 2).__name__,
    "is a tensor": lambda e: isinstance(e.nn.Parameter(e.ones(1)), e.Tensor),
    "leaf": lambda e: e.nn.Parameter(e.ones(1, requires_grad=True) * 2).is_leaf,
    "buffer": lambda e: (repr(e.nn.Buffer(e.ones(1))), e.nn.Buffer(e.ones(1)).persistent),
    "integers with gradient": lambda e: e.nn.Parameter(e.arange(2)),
}


@pytest.mark.parametrize("case", JOBS)
def test_like_pytorch(case):
    agree(JOBS[case])


def test_integers_cannot_require_a_gradient():
    assert fails(JOBS["integers with gradient"])


def test_memory_is_shared():
    def job(e):
        data = e.ones(2)
        parameter = e.nn.Parameter(data)
        data.mul_(3)
        return parameter, parameter.data_ptr() == data.data_ptr()

    agree(job)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_copies(how, requires_grad):
    def job(e):
        parameter = e.nn.Parameter(e.tensor([1.0, 2.0]), requires_grad=requires_grad)
        if requires_grad:
            (parameter**2).sum().backward()
        if how == "deepcopy":
            twin = copy.deepcopy(parameter)
        else:
            twin = pickle.loads(pickle.dumps(parameter))
        return type(twin).__name__, twin, twin.requires_grad, twin.grad, twin.is_leaf

    agree(job)


def test_a_shared_parameter_stays_shared_in_a_copy():
    parameter = tinygrad_mnist.nn.Parameter(tinygrad_mnist.ones(1))
    first, second = copy.deepcopy([parameter, parameter])
    assert first is second
    assert first is not parameter


def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"Parameter\(\): argument 'data' .* must be Tensor"):
        tinygrad_mnist.nn.Parameter([1.0])
