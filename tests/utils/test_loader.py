"""DataLoader: what it loads, what it refuses, and its worker processes."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.utils import data

ENGINES = (tinygrad_mnist, torch)


def numbers(count):
    """Rows of three numbers, and a label each, on the given engine."""
    return np.arange(3 * count, dtype=np.float32).reshape(count, 3), np.arange(count)


def tensors(engine, count):
    return engine.utils.data.TensorDataset(*map(engine.tensor, numbers(count)))


def plain(batches):
    return [[part.tolist() for part in batch] for batch in batches]


class Squares(data.Dataset):
    """Squares of numbers, some of which fail."""

    def __init__(self, count, failing=()):
        self.count = count
        self.failing = failing

    def __getitem__(self, index):
        if index in self.failing:
            raise KeyError(f"no square of {index}")
        return index**2

    def __len__(self):
        return self.count


class Shares(data.IterableDataset):
    """The numbers below `count`, each worker its share."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        info = data.get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.count, step))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 7, None])
@pytest.mark.parametrize("nested", [0, 1, 2])
def test_rows_of_tensors(batch_size, nested):
    """Whether rows are picked at once or one by one, the batches are PyTorch's."""

    def load(engine):
        dataset = tensors(engine, 5)
        for _ in range(nested):
            dataset = engine.utils.data.Subset(dataset, [4, 0, 2, 3, 1])
        loader = engine.utils.data.DataLoader(dataset, batch_size=batch_size)
        return plain(loader), len(loader)

    assert load(tinygrad_mnist) == load(torch)


def test_rows_that_require_gradients():
    def load(engine):
        x = engine.ones(4, 2, requires_grad=True)
        for (rows,) in engine.utils.data.DataLoader(engine.utils.data.TensorDataset(x), 2):
            (rows.sum() * 2).backward()
        return x.grad.tolist()

    assert load(tinygrad_mnist) == load(torch)


def test_a_subclass_gives_its_own_samples():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(part * 2 for part in super().__getitem__(index))

    loader = data.DataLoader(Doubled(tinygrad_mnist.arange(4)), batch_size=2)
    assert plain(loader) == [[[0, 2]], [[4, 6]]]


def test_batch_samplers_of_any_kind():
    def load(engine):
        dataset = tensors(engine, 6)
        orders = [[[0, 1], [5]], [range(2)], [engine.tensor([3, 4])], [np.array([2, 0])]]
        loader = engine.utils.data.DataLoader
        return [plain(loader(dataset, batch_sampler=order)) for order in orders]

    assert load(tinygrad_mnist) == load(torch)


def test_collate_fn_and_getitems():
    def load(engine):
        class Whole(engine.utils.data.Dataset):
            def __getitems__(self, indices):
                return [index * 10 for index in indices]

            def __len__(self):
                return 5

        return list(engine.utils.data.DataLoader(Whole(), batch_size=2, collate_fn=tuple))

    assert load(tinygrad_mnist) == load(torch)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [2, None])
def test_iterable_dataset(batch_size, drop_last):
    def load(engine):
        class Count(engine.utils.data.IterableDataset):
            def __iter__(self):
                return iter(range(5))

        return [
            str(batch)
            for batch in engine.utils.data.DataLoader(
                Count(), batch_size=batch_size, drop_last=drop_last and batch_size is not None
            )
        ]

    assert load(tinygrad_mnist) == load(torch)


def test_a_length_told_wrongly():
    for engine in ENGINES:

        class Longer(engine.utils.data.IterableDataset):
            def __iter__(self):
                return iter(range(4))

            def __len__(self):
                return 3

        loader = engine.utils.data.DataLoader(Longer(), batch_size=None)
        assert len(loader) == 3
        with pytest.warns(UserWarning, match="was reported to be 3"):
            list(loader)


def outcome(job, engine):
    try:
        return job(engine.utils.data)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


ERRORS = {
    "workers": lambda d: d.DataLoader([1], num_workers=-1),
    "timeout": lambda d: d.DataLoader([1], timeout=-1),
    "prefetch": lambda d: d.DataLoader([1], prefetch_factor=2),
    "negative prefetch": lambda d: d.DataLoader([1], num_workers=1, prefetch_factor=-1),
    "persistent": lambda d: d.DataLoader([1], persistent_workers=True),
    "context": lambda d: d.DataLoader([1], multiprocessing_context="fork"),
    "context name": lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context="x"),
    "context kind": lambda d: d.DataLoader([1], num_workers=1, multiprocessing_context=3),
    "sampler and shuffle": lambda d: d.DataLoader([1], sampler=[0], shuffle=True),
    "batch sampler": lambda d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
    "batch sampler and drop_last": lambda d: d.DataLoader([1], batch_sampler=[[0]], drop_last=True),
    "batch sampler and shuffle": lambda d: d.DataLoader([1], batch_sampler=[[0]], shuffle=True),
    "drop_last alone": lambda d: d.DataLoader([1], batch_size=None, drop_last=True),
    "batch size": lambda d: d.DataLoader([1], batch_size=0),
    "shuffle of nothing": lambda d: d.DataLoader([], shuffle=True),
    "set": lambda d: setattr(d.DataLoader([1]), "batch_size", 3),
    "set dataset": lambda d: setattr(d.DataLoader([1]), "dataset", 3),
    "nothing": lambda d: list(d.DataLoader([])),
    "no length": lambda d: len(d.DataLoader(d.IterableDataset())) and None,
}


@pytest.mark.parametrize("case", ERRORS)
def test_refused(case):
    ours, theirs = (outcome(ERRORS[case], engine) for engine in ENGINES)
    assert ours == theirs


@pytest.mark.parametrize("option", ["shuffle", "sampler", "batch_sampler"])
def test_refused_for_iterable_datasets(option):
    value = True if option == "shuffle" else [0]
    for engine in ENGINES:
        dataset = type("D", (engine.utils.data.IterableDataset,), {"__iter__": iter})()
        with pytest.raises(ValueError, match=f"expected unspecified {option} option, but got"):
            engine.utils.data.DataLoader(dataset, **{option: value})


def test_warnings():
    for engine in ENGINES:
        with pytest.warns(UserWarning, match="no accelerator is found"):
            iter(engine.utils.data.DataLoader([1], pin_memory=True))
        with pytest.warns(UserWarning, match="This DataLoader will create 4096 worker processes"):
            engine.utils.data.DataLoader([1], num_workers=4096)


def test_an_iterator_cannot_be_pickled():
    import pickle

    with pytest.raises(NotImplementedError):
        pickle.dumps(iter(data.DataLoader([1])))


def many(dataset, count, **options):
    """A loader with worker processes, as many as asked for whatever the machine has."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return data.DataLoader(dataset, num_workers=count, **options)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_workers_load_in_order(count, shuffle):
    dataset = tensors(tinygrad_mnist, 20)
    epochs = []
    for workers in (0, count):
        tinygrad_mnist.manual_seed(5)
        loader = many(dataset, workers, batch_size=3, shuffle=shuffle)
        epochs.append([plain(loader), plain(loader), tinygrad_mnist.rand(1).item()])
    assert epochs[1] == epochs[0]


def test_workers_share_an_iterable_dataset():
    loader = many(Shares(10), 2, batch_size=2)
    assert [batch.tolist() for batch in loader] == [[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]


def test_persistent_workers_stay():
    def process(samples):
        return os.getpid(), samples

    loader = many(range(6), 2, batch_size=2, persistent_workers=True, collate_fn=process)
    first, second = list(loader), list(loader)
    assert [samples for _, samples in first] == [[0, 1], [2, 3], [4, 5]]
    assert second == first
    assert os.getpid() not in {pid for pid, _ in first}
    passing = many(range(6), 2, batch_size=2, collate_fn=process)
    assert {pid for pid, _ in passing}.isdisjoint({pid for pid, _ in passing})


class Seeds(data.Dataset):
    """What each worker knows and draws."""

    def __getitem__(self, index):
        info = data.get_worker_info()
        drawn = tinygrad_mnist.rand(1).item(), random.random(), np.random.random()
        return info.id, info.num_workers, info.seed, tinygrad_mnist.initial_seed(), drawn

    def __len__(self):
        return 2


class TheirSeeds(torch.utils.data.Dataset):
    """The same of PyTorch's workers."""

    def __getitem__(self, index):
        info = torch.utils.data.get_worker_info()
        drawn = torch.rand(1).item(), random.random(), np.random.random()
        return info.id, info.num_workers, info.seed, torch.initial_seed(), drawn

    def __len__(self):
        return 2


def test_workers_are_seeded_as_pytorchs():
    assert data.get_worker_info() is None
    found = []
    for engine, dataset in ((tinygrad_mnist, Seeds()), (torch, TheirSeeds())):
        engine.manual_seed(11)
        loader = engine.utils.data.DataLoader(dataset, batch_size=None, num_workers=2)
        found.append(list(loader))
    assert found[0] == found[1]


def test_worker_init_fn():
    def prepare(number):
        os.environ["WORKER_NUMBER"] = str(number)

    def report(samples):
        return os.environ["WORKER_NUMBER"]

    loader = many(range(4), 2, collate_fn=report, worker_init_fn=prepare)
    assert list(loader) == ["0", "1", "0", "1"]


@pytest.mark.parametrize("how", ["sample", "init_fn"])
def test_an_error_in_a_worker(how):
    def fail(number):
        raise KeyError("not today")

    failing = (5,) if how == "sample" else ()
    loader = many(
        Squares(8, failing), 2, batch_size=2, worker_init_fn=fail if how == "init_fn" else None
    )
    with pytest.raises(KeyError) as info:
        list(loader)
    text = str(info.value)
    assert text.startswith("Caught KeyError in DataLoader worker process 0.\nOriginal Traceback")
    assert ("no square of 5" if how == "sample" else "not today") in text


def test_loading_goes_on_after_an_error():
    batches = iter(many(Squares(6, (2,)), 2, batch_size=2))
    assert next(batches).tolist() == [0, 1]
    with pytest.raises(KeyError):
        next(batches)
    assert next(batches).tolist() == [16, 25]
    with pytest.raises(StopIteration):
        next(batches)


class Dying(data.Dataset):
    """A sample that ends its process."""

    def __getitem__(self, index):
        os._exit(1)

    def __len__(self):
        return 1


class Sleeping(data.Dataset):
    """A sample that takes its time."""

    def __getitem__(self, index):
        time.sleep(0.5 if index == 0 else 0)
        return index

    def __len__(self):
        return 4


def test_a_worker_that_dies(monkeypatch):
    monkeypatch.setattr("tinygrad_mnist.utils.data.workers._PATIENCE", 0.1)
    with pytest.raises(
        RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"
    ):
        list(many(Dying(), 1))


def test_timeout():
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.1 seconds"):
        list(many(Sleeping(), 1, timeout=0.1))


def test_out_of_order_on_demand():
    quick = [batch.item() for batch in many(Sleeping(), 2, in_order=False)]
    assert sorted(quick) == [0, 1, 2, 3]
    assert quick[0] != 0


def test_spawned_workers():
    loader = many(range(4), 1, batch_size=2, multiprocessing_context="spawn")
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3]]


def test_leaving_early_ends_the_workers():
    batches = iter(many(range(100), 2))
    next(batches)
    processes = list(batches._processes)
    del batches
    assert not any(process.is_alive() for process in processes)


ORPHANING = """
import os, signal
from tinygrad_mnist.utils import data
from tinygrad_mnist.utils.data import workers

workers._PATIENCE = 0.1
batches = iter(data.DataLoader(range(100), num_workers=2))
next(batches)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_killed_parent():
    """They hold its output open: who waits for the output to end waits for them."""
    command = [sys.executable, "-W", "ignore", "-c", ORPHANING]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, b"", b"")
