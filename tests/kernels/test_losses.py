"""nll_loss and its derivative against PyTorch, and twin against twin."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, matrices
from tinygrad_mnist import kernels

REDUCTIONS = ("none", "mean", "sum")  # in the order of PyTorch's numbers for them


@st.composite
def problems(draw):
    logp = draw(matrices())
    rows, classes = logp.shape
    ignore_index = draw(st.sampled_from([-100, 0, classes - 1]))
    labels = st.sampled_from([*range(classes), ignore_index])
    target = np.array(draw(st.lists(labels, min_size=rows, max_size=rows)), np.int64)
    weight = None
    if draw(st.booleans()):
        elements = st.sampled_from([0.0, 0.5, 1.0, 0.3, 7.0])
        weight = np.array(draw(st.lists(elements, min_size=classes, max_size=classes)), logp.dtype)
    return logp, target, weight, ignore_index


def as_torch(array):
    return None if array is None else torch.tensor(array)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("twin", TWINS)
@given(problem=problems())
def test_forward_and_backward_are_pytorchs(twin, reduction, problem):
    logp, target, weight, ignore_index = problem
    number = REDUCTIONS.index(reduction)
    x, labels, weights = as_torch(logp), as_torch(target), as_torch(weight)
    arguments = (labels, weights, number, ignore_index)
    expected, expected_weight = torch.ops.aten.nll_loss_forward(x, *arguments)
    grad = np.random.default_rng(0).standard_normal(expected.shape).astype(logp.dtype)
    expected_grad = torch.ops.aten.nll_loss_backward(
        torch.tensor(grad), x, *arguments, expected_weight
    )
    with computed_by(twin):
        loss, total_weight = kernels.nll_loss(logp, target, weight, ignore_index, reduction)
        grad_logp = kernels.nll_loss_backward(
            np.asarray(grad), target, logp.shape[1], weight, ignore_index, reduction
        )
    eps = np.finfo(logp.dtype).eps
    terms = np.abs(np.nan_to_num(logp, posinf=0, neginf=0)).max(initial=1) * 7 * len(target)
    np.testing.assert_allclose(loss, expected.numpy(), rtol=4 * eps, atol=2 * eps * terms)
    np.testing.assert_allclose(total_weight, expected_weight.numpy(), rtol=8 * eps)
    np.testing.assert_allclose(grad_logp, expected_grad.numpy(), rtol=8 * eps)
    for ours, theirs in ((loss, expected), (total_weight, expected_weight)):
        assert isinstance(ours, np.ndarray)
        assert ours.shape == theirs.shape
        assert ours.dtype == logp.dtype
    assert grad_logp.dtype == logp.dtype


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@given(problem=problems())
def test_both_twins_give_the_same(reduction, problem):
    logp, target, weight, ignore_index = problem
    results = []
    for twin in TWINS:
        with computed_by(twin):
            loss, total = kernels.nll_loss(logp, target, weight, ignore_index, reduction)
            grad = np.array(0.7, logp.dtype)
            grad_logp = kernels.nll_loss_backward(
                grad, target, logp.shape[1], weight, ignore_index, reduction
            )
        results.append((loss, total, grad_logp))
    ours, theirs = results
    rtol = 0 if logp.dtype == np.float32 else 1e-14
    terms = np.abs(np.nan_to_num(logp, posinf=0, neginf=0)).max(initial=1) * 7 * len(target)
    # A float32 loss that cancels to almost nothing shows the noise of the double sums.
    np.testing.assert_allclose(ours[0], theirs[0], rtol=rtol, atol=1e-15 * terms)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=rtol)
    assert np.isnan(ours[0]) or np.signbit(ours[0]) == np.signbit(theirs[0])  # 0 or -0
    np.testing.assert_allclose(ours[2], theirs[2], rtol=rtol)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("bad", [10, -1, -101, 2**40])
def test_a_target_out_of_bounds_is_pytorchs_error(twin, reduction, bad):
    target = np.array([3, bad, 11])
    message = rf"^Target {bad} is out of bounds\.$"
    with computed_by(twin):
        with pytest.raises(IndexError, match=message):
            kernels.nll_loss(np.zeros((3, 10)), target, None, -100, reduction)
        grad = np.ones(3) if reduction == "none" else np.ones(())
        with pytest.raises(IndexError, match=message):
            kernels.nll_loss_backward(grad, target, 10, None, -100, reduction)
    if abs(bad) < 2**31:  # PyTorch prints no more than 32 bits
        with pytest.raises(IndexError, match=message):
            torch.nn.functional.nll_loss(torch.zeros(3, 10), torch.tensor(target))


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("kind", [np.int32, np.uint8])
def test_narrow_targets_are_taken_too(twin, kind):
    logp = np.log(np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))
    with computed_by(twin):
        loss, total_weight = kernels.nll_loss(logp, np.array([1, 0], kind))
        grad = kernels.nll_loss_backward(np.ones((), np.float32), np.array([1, 0], kind), 2)
    np.testing.assert_allclose(loss, -(np.log(0.75) + np.log(0.5)) / 2, rtol=1e-6)
    assert total_weight == 2
    np.testing.assert_array_equal(grad, [[0, -0.5], [-0.5, 0]])


@pytest.mark.parametrize("twin", TWINS)
def test_shapes_that_do_not_agree_are_refused(twin):
    with computed_by(twin):
        with pytest.raises(ValueError, match="expected one for each of"):
            kernels.nll_loss(np.zeros((2, 3)), np.zeros(5, np.int64))
        with pytest.raises(ValueError, match="expected one for each of"):
            kernels.nll_loss(np.zeros((2, 3)), np.array([0, 2]), np.ones(2))
        with pytest.raises(ValueError, match="expected one for each of"):
            kernels.nll_loss_backward(np.ones(()), np.array([0, 2]), 3, np.ones(2))
