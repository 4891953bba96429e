"""The order of samples is PyTorch's for the same seed, and so is what is left of the stream."""

import pytest
import torch

import tinygrad_mnist

ENGINES = (torch, tinygrad_mnist)


def both(job):
    """job(engine) on both engines from one seed; also the next number of the stream."""
    results = []
    for engine in ENGINES:
        engine.manual_seed(17)
        results.append((job(engine), engine.rand(1).item()))
    return results


def plain(batches):
    """Batches as lists."""
    return [batch.tolist() for batch in batches]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 65, 1000])
@pytest.mark.parametrize("drop_last", [False, True])
def test_shuffled_loader(size, drop_last):
    def two_epochs(engine):
        loader = engine.utils.data.DataLoader(
            range(size), batch_size=32, shuffle=True, drop_last=drop_last
        )
        return [plain(loader), plain(loader), len(loader)]

    theirs, ours = both(two_epochs)
    assert ours == theirs


def test_unshuffled_loader_draws_a_base_seed():
    theirs, ours = both(lambda engine: plain(engine.utils.data.DataLoader(range(5), batch_size=2)))
    assert ours == theirs


@pytest.mark.parametrize("batch_size", [3, 4, None])
def test_loader_with_a_generator(batch_size):
    def three_epochs(engine):
        generator = engine.Generator().manual_seed(3)
        loader = engine.utils.data.DataLoader(
            range(12), batch_size=batch_size, shuffle=True, generator=generator
        )
        epochs = [[str(batch) for batch in loader] for _ in range(3)]
        return epochs, engine.rand(2, generator=generator).tolist()

    theirs, ours = both(three_epochs)
    assert ours == theirs


def test_an_epoch_broken_off():
    def half_an_epoch(engine):
        generator = engine.Generator().manual_seed(3)
        loader = engine.utils.data.DataLoader(range(12), shuffle=True, generator=generator)
        first = next(iter(loader)).tolist()
        return first, plain(loader)

    theirs, ours = both(half_an_epoch)
    assert ours == theirs


@pytest.mark.parametrize(
    ("replacement", "num_samples"),
    [(False, None), (False, 5), (False, 20), (False, 25), (True, None), (True, 64), (True, 70)],
)
def test_random_sampler(replacement, num_samples):
    def sample(engine):
        sampler = engine.utils.data.RandomSampler(range(10), replacement, num_samples)
        return list(sampler), list(sampler), len(sampler)

    theirs, ours = both(sample)
    assert ours == theirs


def test_subset_and_weighted_samplers():
    def sample(engine):
        data = engine.utils.data
        subset = data.SubsetRandomSampler([3, 1, 4, 1, 5])
        weighted = data.WeightedRandomSampler([0.1, 0.7, 0.2], 20)
        rare = data.WeightedRandomSampler([1.0, 2.0, 3.0, 4.0], 3, replacement=False)
        return list(subset), list(weighted), list(rare), len(subset), len(weighted)

    theirs, ours = both(sample)
    assert ours == theirs


@pytest.mark.parametrize("lengths", [[7, 3], [0.5, 0.3, 0.2], [0.33, 0.33, 0.34], [10]])
def test_random_split(lengths):
    def split(engine):
        parts = engine.utils.data.random_split(range(10), lengths)
        seeded = engine.utils.data.random_split(
            range(10), lengths, generator=engine.Generator().manual_seed(42)
        )
        return [list(part) for part in (*parts, *seeded)]

    theirs, ours = both(split)
    assert ours == theirs


def test_sequential_and_batch_samplers():
    data = tinygrad_mnist.utils.data
    assert list(data.SequentialSampler("abc")) == [0, 1, 2]
    for drop_last in (False, True):
        for count in range(7):
            ours = data.BatchSampler(range(count), 3, drop_last)
            theirs = torch.utils.data.BatchSampler(range(count), 3, drop_last)
            assert list(ours) == list(theirs)
            assert len(ours) == len(theirs)


@pytest.mark.parametrize("settings", [{}, {"shuffle": False}, {"seed": 3, "drop_last": True}])
def test_each_process_has_pytorchs_share(settings):
    for count in (3, 10, 11):
        for rank in range(3):
            shares = []
            for engine in (torch, tinygrad_mnist):
                sampler = engine.utils.data.DistributedSampler(range(count), 3, rank, **settings)
                first = list(sampler)
                sampler.set_epoch(1)
                shares.append((first, list(sampler), len(sampler)))
            assert shares[0] == shares[1]
    with pytest.raises(RuntimeError, match="Requires distributed package to be available"):
        tinygrad_mnist.utils.data.distributed.DistributedSampler(range(3))
    with pytest.raises(ValueError, match="Invalid rank 3"):
        tinygrad_mnist.utils.data.DistributedSampler(range(3), 3, 3)
