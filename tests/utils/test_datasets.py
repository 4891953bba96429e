"""Datasets made of tensors and of datasets, as PyTorch has them."""

import pytest
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)


def outcome(job, engine):
    try:
        return job(engine.utils.data, engine)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def counting(data, count):
    class Counting(data.IterableDataset):
        def __iter__(self):
            return iter(range(count))

        def __len__(self):
            return count

    return Counting()


def rows(dataset):
    return [[part.tolist() for part in sample] for sample in dataset]


def pairs(data, e):
    return data.TensorDataset(e.arange(6).reshape(3, 2), e.tensor([5.0, 6.0, 7.0]))


JOBS = {
    "TensorDataset": lambda d, e: (len(pairs(d, e)), rows(pairs(d, e)[i] for i in range(3))),
    "negative index": lambda d, e: rows([pairs(d, e)[-1]]),
    "slice": lambda d, e: rows([pairs(d, e)[1:]]),
    "sizes": lambda d, e: d.TensorDataset(e.ones(2), e.ones(3)),
    "past the end": lambda d, e: pairs(d, e)[3],
    "Dataset": lambda d, e: d.Dataset()[0],
    "no length": lambda d, e: hasattr(d.Dataset(), "__len__"),
    "sum": lambda d, e: (len(pairs(d, e) + pairs(d, e)), rows([(pairs(d, e) + pairs(d, e))[4]])),
    "ConcatDataset": lambda d, e: [d.ConcatDataset(["ab", "c", "def"])[i] for i in range(-6, 6)],
    "sizes so far": lambda d, e: d.ConcatDataset(["ab", "c"]).cumulative_sizes,
    "too far back": lambda d, e: d.ConcatDataset(["ab"])[-3],
    "too far on": lambda d, e: d.ConcatDataset(["ab"])[2],
    "of none": lambda d, e: d.ConcatDataset([]),
    "of iterables": lambda d, e: d.ConcatDataset([counting(d, 2)]),
    "ChainDataset": lambda d, e: (list(counting(d, 2) + counting(d, 3)), len(counting(d, 2))),
    "length of a chain": lambda d, e: len(d.ChainDataset([counting(d, 2), counting(d, 3)])),
    "chain of lists": lambda d, e: list(d.ChainDataset([[1]])),
    "StackDataset": lambda d, e: (list(d.StackDataset("ab", "cd"))[:2], len(d.StackDataset("ab"))),
    "StackDataset by name": lambda d, e: d.StackDataset(x="ab", y=[1, 2])[1],
    "stack of different": lambda d, e: d.StackDataset("ab", "c"),
    "stack of both": lambda d, e: d.StackDataset("ab", y="cd"),
    "stack of none": lambda d, e: d.StackDataset(),
    "Subset": lambda d, e: (list(d.Subset("abcd", [3, 1])), len(d.Subset("abcd", [0]))),
    "Subset of a Subset": lambda d, e: list(d.Subset(d.Subset("abcd", [3, 1, 0]), [2, 0])),
    "Subset by list": lambda d, e: rows([d.Subset(pairs(d, e), [2, 0])[[0, 1]]]),
    "Subset batch": lambda d, e: d.Subset("abcd", [3, 1]).__getitems__([0, 1]),
    "Subset overridden": lambda d, e: type("S", (d.Subset,), {"__getitem__": lambda s, i: 1})(
        "ab", [0]
    ),
    "split": lambda d, e: d.random_split("abc", [1, 1]),
    "split by a share above 1": lambda d, e: d.random_split("abc", [-0.5, 1.5]),
    "RandomSampler": lambda d, e: d.RandomSampler("abc", replacement=1),
    "RandomSampler of none": lambda d, e: d.RandomSampler(""),
    "RandomSampler samples": lambda d, e: d.RandomSampler("abc", num_samples=-1),
    "WeightedRandomSampler": lambda d, e: d.WeightedRandomSampler([1.0], True),
    "WeightedRandomSampler flag": lambda d, e: d.WeightedRandomSampler([1.0], 1, 3),
    "WeightedRandomSampler shape": lambda d, e: d.WeightedRandomSampler([[1.0]], 1),
    "BatchSampler size": lambda d, e: d.BatchSampler([1], 0, False),
    "BatchSampler flag": lambda d, e: d.BatchSampler([1], 1, 0),
    "Sampler": lambda d, e: iter(d.Sampler()),
}


@pytest.mark.parametrize("case", JOBS)
def test_like_pytorch(case):
    ours, theirs = (outcome(JOBS[case], engine) for engine in ENGINES)
    assert ours == theirs


def test_a_split_of_nothing_warns():
    for engine in ENGINES:
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            engine.utils.data.random_split("abc", [1.0, 0.0])
