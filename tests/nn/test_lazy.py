"""Lazy layers: what they are before and after their first input, drawn, kept and refused."""

import copy
import pickle

import pytest

import tinygrad_mnist as ours

from .agreement import agree

SIZES = {"Linear": 2, "Conv1d": 3, "Conv2d": 4, "Conv3d": 5, "BatchNorm1d": 3, "BatchNorm2d": 4,
         "BatchNorm3d": 5, "InstanceNorm1d": 3, "InstanceNorm2d": 4, "InstanceNorm3d": 5,
         "ConvTranspose1d": 3, "ConvTranspose2d": 4, "ConvTranspose3d": 5}  # fmt: skip
NAMES = [f"Lazy{name}" for name in SIZES if hasattr(ours.nn, f"Lazy{name}")]


def made(engine, name, **options):
    sizes = () if "Norm" in name else (2,) if name == "LazyLinear" else (2, 2)
    return getattr(engine.nn, name)(*sizes, **options)


def given(engine, name, channels=3):
    rest = [4] * (SIZES[name.removeprefix("Lazy")] - 2)
    return engine.randn(2, channels, *rest)


@pytest.mark.parametrize("name", NAMES)
def test_a_lazy_layer_becomes_an_ordinary_one(name):
    def job(engine):
        layer = made(engine, name)
        before = repr(layer), [repr(each) for each in layer.parameters()], list(layer.state_dict())
        engine.manual_seed(3)
        out = layer(given(engine, name))
        return before, repr(layer), type(layer).__name__, layer.state_dict(), out

    agree(job, 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_state_is_loaded_into_a_lazy_layer(name):
    def job(engine):
        full, lazy = made(engine, name), made(engine, name)
        full(given(engine, name))
        lazy.load_state_dict(full.state_dict())
        again = made(engine, name)
        again.load_state_dict(made(engine, name).state_dict())
        state = lazy.state_dict()
        with pytest.raises(RuntimeError, match="shape of an uninitialized"):
            full.load_state_dict(made(engine, name).state_dict())
        return state, repr(lazy), again.has_uninitialized_params()

    agree(job, 1e-6)


@pytest.mark.parametrize("job", [
    lambda nn, x: nn.LazyConv2d(4, 2, groups=2)(x[:, :3]),
    lambda nn, x: nn.LazyConv2d(4, 2)(x[0, 0]),
    lambda nn, x: nn.LazyLinear(2).weight.shape, lambda nn, x: nn.LazyLinear(2).share_memory(),
    lambda nn, x: type("A", (nn.modules.lazy.LazyModuleMixin, nn.Linear), {})(2, 2)(x),
    lambda nn, x: nn.LazyLinear(2).double()(x.double()).dtype.itemsize,
    lambda nn, x: nn.LazyLinear(2, bias=False)(x).shape[-1],
    lambda nn, x: nn.LazyBatchNorm2d(affine=False, track_running_stats=False)(x),
])  # fmt: skip
def test_corners(job):
    def both(engine):
        return job(engine.nn, engine.randn(2, 4, 3, 3))

    agree(both, 1e-5)


def test_nothing_is_computed_with_what_has_no_shape():
    layer = ours.nn.LazyBatchNorm1d()
    for member in (layer.weight, layer.running_mean):
        with pytest.raises(ValueError, match="no shape yet"):
            member + 1
    for kept in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert kept(ours.ones(3, 2)).shape == (3, 2)
