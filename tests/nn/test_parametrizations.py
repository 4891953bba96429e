"""Weights made of other tensors: numbers, names of state, text, training, removal, errors."""

import copy
import io
import pickle

import pytest

import tinygrad_mnist as ours

from .agreement import agree

WAYS = {
    "weight_norm": lambda u, m: u.weight_norm(m),
    "weight_norm, whole": lambda u, m: u.weight_norm(m, dim=None),
    "spectral_norm": lambda u, m: u.spectral_norm(m, n_power_iterations=2),
    "parametrized weight_norm": lambda u, m: u.parametrizations.weight_norm(m, dim=1),
    "parametrized spectral_norm": lambda u, m: u.parametrizations.spectral_norm(m),
    "exponential": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="matrix_exp"),
    "Cayley": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="cayley"),
    "free": lambda u, m: u.parametrizations.orthogonal(
        m, orthogonal_map="cayley", use_trivialization=False
    ),
    "reflections": lambda u, m: u.parametrizations.orthogonal(m, orthogonal_map="householder"),
}
LAYERS = {
    "Linear": lambda nn: nn.Linear(4, 4), "wide": lambda nn: nn.Linear(4, 3),
    "high": lambda nn: nn.Linear(4, 5),
    "transposed": lambda nn: nn.Sequential(nn.Unflatten(1, (4, 1)), nn.ConvTranspose1d(4, 4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_training_as_in_pytorch(way):
    for layer in LAYERS.values():

        def job(engine, layer=layer):
            model = layer(engine.nn)
            last = model[-1] if isinstance(model, engine.nn.Sequential) else model
            if way in ("exponential", "Cayley", "free", "reflections") and last.weight.dim() > 2:
                return None
            WAYS[way](engine.nn.utils, last)
            optimiser = engine.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(2):
                loss = (model(engine.randn(2, 4)) ** 2).sum()
                loss.backward()
                optimiser.step()
                optimiser.zero_grad()
            names = [name for name, _ in model.named_parameters()]
            text = repr(model) if "ortho" not in way else None
            return model.state_dict(), names, text, last.weight, model.eval()(engine.ones(2, 4))

        if way in ("exponential", "Cayley", "reflections"):  # started from a random basis
            made = [layer(ours.nn)]
            if not isinstance(made[0], ours.nn.Sequential):
                WAYS[way](ours.nn.utils, made[0])
                w = made[0].weight
                small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
                assert ours.allclose(small, ours.eye(len(small)), atol=1e-5)
        agree(job, 2e-4)


class Halved:
    """A parametrization for either engine."""

    def __new__(cls, engine):
        def forward(self, x):
            return x / 2

        def right_inverse(self, y):
            return y * 2

        members = {"forward": forward, "right_inverse": right_inverse}
        return type("Halved", (engine.nn.Module,), members)()


def test_a_parametrization_of_ones_own():
    def job(engine):
        tools = engine.nn.utils.parametrize
        layer = engine.nn.Linear(2, 2)
        tools.register_parametrization(layer, "weight", Halved(engine))
        tools.register_parametrization(layer, "weight", Halved(engine))
        layer.weight = engine.ones(2, 2)
        with tools.cached():
            same = layer.weight is layer.weight
        twin = copy.deepcopy(layer)
        with engine.no_grad():
            twin.parametrizations.weight.original.zero_()
        found = [layer.weight, twin.weight, dict(layer.state_dict()), same, repr(layer)]
        found.append(tools.type_before_parametrizations(layer).__name__)
        tools.remove_parametrizations(layer, "weight")
        return *found, layer.weight, type(layer).__name__, tools.is_parametrized(layer)

    agree(job)


@pytest.mark.parametrize("job", [
    lambda e, u: u.parametrize.register_parametrization(e.nn.Linear(2, 2), "no", Halved(e)),
    lambda e, u: u.parametrize.register_parametrization(
        e.nn.Linear(2, 2), "weight", e.nn.Flatten(0)),
    lambda e, u: u.parametrize.register_parametrization(
        e.nn.Embedding(2, 2), "weight", type("N", (e.nn.Module,), {"forward": lambda s, x: 1})()),
    lambda e, u: u.parametrize.remove_parametrizations(e.nn.Linear(2, 2), "weight"),
    lambda e, u: u.weight_norm(u.weight_norm(e.nn.Linear(2, 2))),
    lambda e, u: u.spectral_norm(u.spectral_norm(e.nn.Linear(2, 2))),
    lambda e, u: u.remove_weight_norm(e.nn.Linear(2, 2)),
    lambda e, u: u.remove_spectral_norm(e.nn.Linear(2, 2)),
    lambda e, u: u.spectral_norm(e.nn.Linear(2, 2), n_power_iterations=0),
    lambda e, u: u.parametrizations.orthogonal(e.nn.Linear(2, 2), "bias"),
    lambda e, u: u.parametrizations.orthogonal(e.nn.Linear(2, 2), orthogonal_map="text"),
    lambda e, u: u.weight_norm(e.nn.LazyLinear(2)),
    lambda e, u: u.remove_weight_norm(u.weight_norm(e.nn.Linear(2, 2))).weight,
    lambda e, u: u.remove_spectral_norm(u.spectral_norm(e.nn.Linear(2, 2))).weight,
])  # fmt: skip
def test_corners(job):
    agree(lambda engine: job(engine, engine.nn.utils), 1e-6)


@pytest.mark.parametrize("save", [pickle.dumps, lambda made: ours.save(made, io.BytesIO())])
def test_pickling_is_refused(save):
    layer = ours.nn.utils.parametrizations.weight_norm(ours.nn.Linear(2, 2))
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        save(ours.nn.Sequential(layer))
