"""PyTorch's own table of optimisers on both engines: paths, states exchanged, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist as ours

pytest.importorskip("expecttest", reason="PyTorch's table of optimisers needs expecttest")
pytest.importorskip("scipy", reason="PyTorch's table of optimisers needs scipy")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_optimizers import optim_db

ENTRIES = {entry.optim_cls.__name__: entry for entry in optim_db}
CARRIED = [name for name in ENTRIES if hasattr(ours.optim, name) and name != "LBFGS"]
SETTINGS = [
    pytest.param(name, given.kwargs, id=f"{name}-{given.desc.replace(' ', '_')}")
    for name in CARRIED
    for given in ENTRIES[name].optim_inputs_func(device="cpu")
]
RNG = np.random.default_rng(0)
START = RNG.standard_normal((4, 3))
INPUTS = RNG.standard_normal((100, 8, 4))
TARGETS = RNG.standard_normal((100, 8, 3))
TOLERANCE = {"float32": 5e-5, "float64": 1e-12}


def twin(value):
    """The same argument for our engine."""
    if isinstance(value, torch.Tensor):
        return ours.from_numpy(value.detach().numpy().copy())
    if isinstance(value, dict):
        return {key: twin(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(twin(each) for each in value)
    return value


def other(value):
    """What our engine saved, as PyTorch's tensors."""
    if isinstance(value, ours.Tensor):
        return torch.from_numpy(value.numpy().copy())
    if isinstance(value, dict):
        return {key: other(each) for key, each in value.items()}
    return [other(each) for each in value] if isinstance(value, list) else value


class Fit:
    """A linear regression and its optimiser on one engine."""

    def __init__(self, engine, name, settings, dtype):
        self.engine, self.kind = engine, getattr(engine, dtype)
        self.weight = engine.tensor(START, dtype=self.kind).requires_grad_()
        self.bias = engine.zeros(3, dtype=self.kind).requires_grad_()
        settings = settings if engine is torch else twin(settings)
        self.optimizer = getattr(engine.optim, name)([self.weight, self.bias], **settings)

    def run(self, first, last):
        """The parameters after each step; each sees other data, so that gradients stay."""
        path = []
        for number in range(first, last):
            x, y = (self.engine.tensor(a[number], dtype=self.kind) for a in (INPUTS, TARGETS))
            self.optimizer.zero_grad()
            ((x @ self.weight + self.bias - y) ** 2).mean().backward()
            self.optimizer.step()
            path.append(np.vstack([p.detach().numpy() for p in (self.weight, self.bias)]))
        return np.array(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_path(name, settings, dtype):
    """100 steps, and the state and settings at the end."""
    fits = [Fit(engine, name, settings, dtype) for engine in (ours, torch)]
    have, want = (fit.run(0, 100) for fit in fits)
    np.testing.assert_allclose(have, want, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    mine, theirs = (fit.optimizer.state_dict() for fit in fits)
    assert repr(mine["param_groups"]) == repr(theirs["param_groups"])
    assert mine["state"].keys() == theirs["state"].keys()
    for number, state in theirs["state"].items():
        assert list(mine["state"][number]) == list(state)
        for key, value in state.items():
            assert str(getattr(mine["state"][number][key], "dtype", "")) == str(
                getattr(value, "dtype", "")
            )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CARRIED)
def test_states_are_exchanged(name):
    """A run begun on one engine and ended on the other is a run on one."""
    settings = ENTRIES[name].optim_inputs_func(device="cpu")[-1].kwargs
    whole = Fit(torch, name, settings, "float64").run(0, 20)
    for begins, ends, translate in ((torch, ours, twin), (ours, torch, other)):
        begun, ended = (Fit(engine, name, settings, "float64") for engine in (begins, ends))
        begun.run(0, 10)
        ended.optimizer.load_state_dict(translate(begun.optimizer.state_dict()))
        for mine, given in ((ended.weight, begun.weight), (ended.bias, begun.bias)):
            mine.detach().copy_(ends.tensor(given.detach().numpy()))
        np.testing.assert_allclose(ended.run(10, 20), whole[10:], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["LBFGS", *(n for n in CARRIED if ENTRIES[n].optim_error_inputs_func)]
)
def test_refuses_what_pytorch_refuses(name):
    """The table's wrong settings raise PyTorch's class of error with its message."""
    for wrong in ENTRIES[name].optim_error_inputs_func(device="cpu", dtype=torch.float32):
        given = wrong.optimizer_error_input
        if not given.kwargs:
            continue  # shared parameters, which tests of parameter groups hold
        outcomes = []
        for engine in (ours, torch):
            params, settings = given.params, given.kwargs
            if engine is ours:
                params, settings = twin(params), twin(settings)
            try:
                getattr(engine.optim, name)(params, **settings)
            except Exception as error:
                outcomes.append((type(error).__name__, str(error)))
        assert len(outcomes) == 2
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", [n for n in CARRIED if n not in ("SGD", "Adagrad")])
def test_capturable_is_refused_as_by_pytorch(name):
    """Steps cannot be captured as a CUDA graph: AssertionError on both engines."""
    for engine in (ours, torch):
        fit = Fit(engine, name, {"capturable": True}, "float32")
        with pytest.raises(AssertionError, match="must be on supported devices"):
            fit.run(0, 1)
