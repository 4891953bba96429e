"""Clipping gradients, and parameters as a vector, against PyTorch."""

import pytest

import tinygrad_mnist
from tests.nn.agreement import agree, fails


def gradients(e, dtype="float32"):
    """Three parameters, two of them with gradients."""
    kind = getattr(e, dtype)
    given = [e.tensor([3.0, -4.0], dtype=kind), e.tensor([[1.5]], dtype=kind), e.ones(2)]
    given = [each.requires_grad_() for each in given]
    ((given[0] ** 2).sum() + (given[1] ** 3).sum()).backward()
    return given


@pytest.mark.parametrize("norm_type", [2, 2.0, 1, 3.5, "inf", float("-inf"), 0])
@pytest.mark.parametrize("max_norm", [0.5, 1000])
def test_clip_grad_norm(norm_type, max_norm):
    def job(e):
        parameters = gradients(e, "float64")
        total = e.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        return total, [each.grad for each in parameters]

    agree(job, tolerance=1e-14)


JOBS = {
    "one tensor": lambda e: e.nn.utils.clip_grad_norm_(gradients(e)[0], 1.0),
    "no gradient": lambda e: e.nn.utils.clip_grad_norm_([e.ones(1)], 1.0),
    "no parameters": lambda e: e.nn.utils.clip_grad_norm_([], 1.0),
    "an empty generator": lambda e: e.nn.utils.clip_grad_norm_((x for x in ()), 1.0),
    "total norm": lambda e: e.nn.utils.get_total_norm([e.ones(2), e.ones(3)]),
    "total norm of none": lambda e: e.nn.utils.get_total_norm([]),
    "not finite": lambda e: e.nn.utils.get_total_norm([e.tensor([float("inf")])]),
}


@pytest.mark.parametrize("case", JOBS)
def test_case(case):
    agree(JOBS[case], tolerance=1e-7)


def test_not_finite_is_an_error_on_demand():
    def job(e):
        tensors = [e.tensor([float("nan")])]
        return e.nn.utils.get_total_norm(tensors, error_if_nonfinite=True)

    assert fails(job)
    agree(job)


def test_clip_grad_value():
    def job(e):
        parameters = gradients(e)
        e.nn.utils.clip_grad_value_(parameters, 2)
        e.nn.utils.clip_grad_value_(parameters[0], 1.5)
        return [each.grad for each in parameters]

    agree(job)


def test_vector():
    def job(e):
        layer = e.nn.Linear(3, 2)
        vector = e.nn.utils.parameters_to_vector(layer.parameters())
        e.nn.utils.vector_to_parameters(e.arange(8.0), layer.parameters())
        return vector, vector.requires_grad, dict(layer.state_dict()), layer(e.ones(1, 3))

    agree(job)


def test_a_vector_must_be_a_tensor():
    with pytest.raises(TypeError, match=r"expected torch\.Tensor, but got: list"):
        tinygrad_mnist.nn.utils.vector_to_parameters([1.0], [])
