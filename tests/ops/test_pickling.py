"""Every public operation is one object: a pickle or a copy of it is the operation itself."""

import copy
import pickle

import pytest
import torch

import tinygrad_mnist

HOSTS = {
    "": (tinygrad_mnist, torch),
    "nn.functional.": (tinygrad_mnist.nn.functional, torch.nn.functional),
}
OPERATIONS = [
    (prefix + name, getattr(ours, name))
    for prefix, (ours, theirs) in HOSTS.items()
    for name in dir(ours)
    if not name.startswith("_") and callable(getattr(theirs, name, None))
]


@pytest.mark.parametrize("operation", [pytest.param(of, id=name) for name, of in OPERATIONS])
def test_a_pickle_and_a_copy_are_the_operation(operation):
    assert pickle.loads(pickle.dumps(operation)) is operation
    assert copy.deepcopy(operation) is operation


def test_a_model_that_holds_operations_is_pickled():
    model = tinygrad_mnist.nn.Sequential(tinygrad_mnist.nn.Linear(2, 2))
    model.activation = tinygrad_mnist.sigmoid
    assert pickle.loads(pickle.dumps(model)).activation is tinygrad_mnist.sigmoid
