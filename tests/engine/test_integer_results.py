"""No record is left where a result is not floating-point, and PyTorch's error is raised."""

import pytest
import torch

import tinygrad_mnist


@pytest.mark.parametrize("name", ["long", "int", "byte", "bool"])
def test_a_cast_to_integers_requires_no_gradient(name):
    ours = getattr(tinygrad_mnist.ones(2, requires_grad=True), name)()
    theirs = getattr(torch.ones(2, requires_grad=True), name)()
    assert (ours.requires_grad, ours.tolist()) == (theirs.requires_grad, theirs.tolist())


def test_bits_of_floats_are_refused_as_in_pytorch():
    for engine in (torch, tinygrad_mnist):
        with pytest.raises(NotImplementedError, match="not implemented for 'Float'"):
            engine.ones(2) & engine.ones(2)
