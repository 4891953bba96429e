"""Batches are made of samples as PyTorch makes them."""

import collections

import numpy as np
import pytest
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)
Point = collections.namedtuple("Point", "x y")


class Odd(collections.UserDict):
    """A mapping that is copied with its own attributes."""

    note = "kept"


def plain(value):
    """A batch with its tensors as type and numbers, and the classes of its containers."""
    if isinstance(value, torch.Tensor | tinygrad_mnist.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, collections.abc.Mapping):
        return type(value).__name__, {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | collections.deque):
        return type(value).__name__, [plain(each) for each in value]
    return value


def outcome(name, engine, make):
    try:
        return plain(getattr(engine.utils.data, name)(make(engine)))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


BATCHES = {
    "tensors": lambda e: [e.tensor([1, 2]), e.tensor([3, 4])],
    "floats": lambda e: [1.5, 2.5],
    "ints": lambda e: [1, 2],
    "bools": lambda e: [True, False],
    "texts": lambda e: ["a", "b"],
    "bytes": lambda e: [b"a", b"b"],
    "arrays": lambda e: [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
    "array scalars": lambda e: [np.float32(1), np.float32(2)],
    "arrays of 0 dimensions": lambda e: [np.array(1), np.array(2)],
    "text arrays": lambda e: [np.array(["a"]), np.array(["b"])],
    "pairs": lambda e: [(e.tensor(1.0), 3), (e.tensor(2.0), 4)],
    "lists": lambda e: [[1, 2.0], [3, 4.0]],
    "dicts": lambda e: [{"x": 1, "y": [1.0, "a"]}, {"x": 2, "y": [2.0, "b"]}],
    "ordered dicts": lambda e: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "named tuples": lambda e: [Point(1, 2.0), Point(3, 4.0)],
    "mappings": lambda e: [Odd(a=1), Odd(a=2)],
    "ragged": lambda e: [[1, 2], [3]],
    "ragged tensors": lambda e: [e.ones(2), e.ones(3)],
    "sets": lambda e: [{1}, {2}],
    "None": lambda e: [None, None],
    "deques": lambda e: [collections.deque([1, 2]), collections.deque([3, 4])],
    "ranges": lambda e: [range(2), range(2, 4)],
}


@pytest.mark.parametrize("case", BATCHES)
def test_default_collate(case):
    ours, theirs = (outcome("default_collate", engine, BATCHES[case]) for engine in ENGINES)
    assert ours == theirs


SAMPLES = {
    "array": lambda e: np.array([1, 2]),
    "scalar": lambda e: np.float64(2),
    "text array": lambda e: np.array(["a"]).tolist(),
    "tensor": lambda e: e.tensor([1]),
    "number": lambda e: 3,
    "text": lambda e: "abc",
    "pair": lambda e: (np.array([1]), 2),
    "list": lambda e: [np.array([1]), "a"],
    "dict": lambda e: {"a": np.array([1]), "b": None},
    "named tuple": lambda e: Point(np.array([1]), 2),
    "mapping": lambda e: Odd(a=np.array([1])),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_default_convert(case):
    ours, theirs = (outcome("default_convert", engine, SAMPLES[case]) for engine in ENGINES)
    assert ours == theirs


def test_given_samples_do_not_change():
    sample = {"a": np.array([1]), "b": [np.array([2])]}
    tinygrad_mnist.utils.data.default_convert(sample)
    tinygrad_mnist.utils.data.default_collate([sample, sample])
    assert isinstance(sample["a"], np.ndarray)
    assert isinstance(sample["b"][0], np.ndarray)
