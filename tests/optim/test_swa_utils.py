"""Averages of models are PyTorch's: equal, exponential, with buffers, by one's own function."""

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

WAYS = {
    "equal": lambda swa: {},
    "equal, lists": lambda swa: {"multi_avg_fn": swa.get_swa_multi_avg_fn()},
    "exponential": lambda swa: {"avg_fn": swa.get_ema_avg_fn(0.9)},
    "exponential, lists": lambda swa: {
        "multi_avg_fn": swa.get_ema_multi_avg_fn(0.9),
        "use_buffers": True,
    },
    "own": lambda swa: {"avg_fn": lambda average, now, count: average + now / (count + 2)},
}
BATCHES = np.random.default_rng(0).standard_normal((4, 8, 3)).astype("float32")


def averaged(engine, way):
    """The state of an average after four updates, and after its statistics are measured anew."""
    engine.manual_seed(0)
    model = engine.nn.Sequential(engine.nn.Linear(3, 2), engine.nn.BatchNorm1d(2))
    swa = engine.optim.swa_utils
    average = swa.AveragedModel(model, **WAYS[way](swa))
    states = []
    for batch in map(engine.tensor, BATCHES):
        model(batch).sum().backward()
        with engine.no_grad():
            for param in model.parameters():
                param.add_(engine.randn(param.shape))
        average.update_parameters(model)
        states.append({key: value.numpy().copy() for key, value in average.state_dict().items()})
    swa.update_bn([(engine.tensor(batch), None) for batch in BATCHES], average.eval())
    assert not average.training
    assert average.module[1].momentum == 0.1
    states.append({key: value.numpy() for key, value in average.state_dict().items()})
    return states, average(engine.tensor(BATCHES[0])).detach().numpy()


@pytest.mark.parametrize("way", WAYS)
def test_averages(way):
    (have, out), (want, expected) = (averaged(engine, way) for engine in (ours, torch))
    for mine, theirs in zip(have, want, strict=True):
        assert list(mine) == list(theirs)
        for key, value in theirs.items():
            assert mine[key].dtype == value.dtype
            np.testing.assert_allclose(mine[key], value, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_what_pytorch_refuses():
    swa = ours.optim.swa_utils
    with pytest.raises(ValueError, match="Invalid decay value"):
        swa.get_ema_avg_fn(1.5)
    with pytest.raises(AssertionError, match="Only one of"):
        swa.AveragedModel(ours.nn.Linear(1, 1), None, max, max)
    optimizer = ours.optim.SGD([ours.ones(1)], lr=1.0)
    for settings in ({"anneal_strategy": "sine"}, {"anneal_epochs": -1}, {"swa_lr": [1, 2]}):
        with pytest.raises(ValueError, match="must"):
            swa.SWALR(optimizer, **{"swa_lr": 0.1, **settings})
