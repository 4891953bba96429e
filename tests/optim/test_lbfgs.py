"""LBFGS takes PyTorch's steps: the same calls of the closure, losses, state and parameters."""

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

SETTINGS = {
    "fixed length": {"lr": 0.1},
    "short memory": {"lr": 0.5, "history_size": 3},
    "Wolfe": {"line_search_fn": "strong_wolfe"},
    "Wolfe, too long": {"lr": 20.0, "line_search_fn": "strong_wolfe", "max_iter": 6},
    "Wolfe, few tries": {"lr": 1e-3, "line_search_fn": "strong_wolfe", "max_eval": 3},
    "coarse": {"tolerance_grad": 0.1, "line_search_fn": "strong_wolfe"},
    "little change": {"lr": 0.1, "tolerance_change": 1e-2},
    "no step": {"max_iter": 0},
}


def rosenbrock(engine, settings, *, between=lambda optimizer: optimizer):
    """Losses by step, the closure's calls, the end, and the state after six steps."""
    point = engine.tensor([[-1.5], [2.0]], dtype=engine.float64, requires_grad=True)
    unused = engine.zeros(2, dtype=engine.float64, requires_grad=True)
    optimizer = engine.optim.LBFGS([point, unused], **settings)
    seen = []

    def closure():
        optimizer.zero_grad()
        x, y = point[0, 0], point[1, 0]
        loss = (1 - x) ** 2 + 10 * (y - x**2) ** 2
        loss.backward()
        seen.append(loss.item())
        return loss

    for number in range(6):
        seen.append(float(optimizer.step(closure).detach()))
        if number == 2:
            optimizer = between(optimizer)
    return seen, point.detach().numpy(), optimizer.state_dict()["state"][0]


@pytest.mark.parametrize("name", SETTINGS)
def test_path(name):
    have, want = (rosenbrock(engine, SETTINGS[name]) for engine in (ours, torch))
    assert len(have[0]) == len(want[0])
    np.testing.assert_allclose(have[0], want[0], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(have[1], want[1], rtol=1e-6)
    assert [(key, type(value).__name__) for key, value in have[2].items()] == [
        (key, type(value).__name__) for key, value in want[2].items()
    ]


def test_a_state_goes_on():
    def reload(optimizer):
        other = ours.optim.LBFGS(optimizer.param_groups[0]["params"], **SETTINGS["Wolfe"])
        other.load_state_dict(optimizer.state_dict())
        return other

    whole, resumed = (
        rosenbrock(ours, SETTINGS["Wolfe"], between=way) for way in (lambda same: same, reload)
    )
    assert whole[0] == resumed[0]


def test_what_pytorch_refuses():
    weight = ours.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="per-parameter options"):
        ours.optim.LBFGS([{"params": [weight]}, {"params": [ours.ones(1)]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        rosenbrock(ours, {"line_search_fn": "armijo"})
