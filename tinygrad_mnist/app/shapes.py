"""The model whose weights a file holds, told by their shapes: programs name them as they like."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import tinygrad_mnist as torch
from tinygrad_mnist import nn

from .logistic import CLASSES, PIXELS
from .models import HIDDEN, MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinygrad_mnist import Tensor

    Layer = tuple[Tensor, Tensor]
    """A weight as `nn.Linear` and `nn.Conv2d` have it, and its bias."""

KNOWN = (
    f"logistic: a Linear [{CLASSES}, {PIXELS}]; mlp: Linears [n, {PIXELS}] to [{CLASSES}, n]; "
    f"cnn: Conv2d [16, 1, 3, 3], [16, 16, 3, 3], [{CLASSES}, 16, 3, 3]; each with its bias or none"
)
"""What models there are, for people."""
_MOST = 100
"""Tensors of a model."""
_KERNELS = [(16, 1, 3, 3), (16, 16, 3, 3), (CLASSES, 16, 3, 3)]


def model_of(weights: Mapping[str, Tensor]) -> tuple[str, nn.Module] | None:
    """The model's name, and the model with these weights; None where it is none that there is.

    Of layers of one shape the first comes first. Linear layers have ReLU between them.

    >>> weights = {"fc.weight": torch.zeros(10, 784), "fc.bias": torch.ones(10)}
    >>> name, model = model_of(weights)
    >>> name, model(torch.zeros(1, 784)).tolist()
    ('logistic', [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    """
    usable = all(each.is_floating_point() and each.numel() for each in weights.values())
    if not usable or len(weights) > _MOST:
        return None
    with torch.random.fork_rng():
        if (layers := _convolutions(weights)) is not None:
            name, model = "cnn", MODELS["cnn"]()
            places = [f"conv{number}" for number in (1, 2, 3)]
        elif (layers := _linear(weights)) is not None and len(layers) > 1:
            name, (model, places) = "mlp", _stack([len(bias) for _, bias in layers])
        elif layers is not None:
            name, model = "logistic", MODELS["logistic"]()
            model.load_state_dict({"weights": layers[0][0].T, "bias": layers[0][1]})
            return name, model
        else:
            return None
    state: dict[str, Tensor] = {}
    for place, (weight, bias) in zip(places, layers, strict=True):
        state |= {f"{place}.weight": weight, f"{place}.bias": bias}
    model.load_state_dict(state)
    return name, model


def _stack(sizes: list[int]) -> tuple[nn.Module, list[str]]:
    """Linear layers of these sizes with ReLU between them, and what each is called."""
    if sizes == [HIDDEN, CLASSES]:
        return MODELS["mlp"](), ["hidden", "output"]
    pairs = pairwise([PIXELS, *sizes])
    parts = [part for pair in pairs for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*parts[:-1]), [str(2 * number) for number in range(len(sizes))]


def _convolutions(weights: Mapping[str, Tensor]) -> list[Layer] | None:
    kernels = [(name, each) for name, each in weights.items() if each.dim() == 4]
    by_shape = {tuple(each.shape): (name, each) for name, each in kernels}
    if len(kernels) != len(_KERNELS) or by_shape.keys() != set(_KERNELS):
        return None
    return _with_biases(weights, [by_shape[shape] for shape in _KERNELS])


def _linear(weights: Mapping[str, Tensor]) -> list[Layer] | None:
    """A chain of matrices from the pixels to the classes; `x @ weight` has them transposed."""
    rest = {name: each for name, each in weights.items() if each.dim() == 2}
    if not any(each.shape[1] == PIXELS for each in rest.values()):
        rest = {name: each.T for name, each in rest.items()}
    chain, size = [], PIXELS
    while rest:
        fitting = [name for name, each in rest.items() if each.shape[1] == size]
        inner = [name for name in fitting if len(rest[name]) != CLASSES]
        if not fitting:
            return None
        name = (inner or fitting)[0]
        chain.append((name, rest.pop(name)))
        size = len(chain[-1][1])
    return _with_biases(weights, chain) if size == CLASSES else None


def _with_biases(
    weights: Mapping[str, Tensor], chain: list[tuple[str, Tensor]]
) -> list[Layer] | None:
    """Each weight with the bias beside it, else the next of its size; None where one is left."""
    rest = {name: each for name, each in weights.items() if each.dim() not in (2, 4)}
    layers = []
    for name, weight in chain:
        beside = f"{name.rpartition('.')[0]}.bias".lstrip(".")
        fitting = [key for key, each in rest.items() if each.shape == weight.shape[:1]]
        key = beside if beside in fitting else next(iter(fitting), None)
        layers.append((weight, torch.zeros(len(weight)) if key is None else rest.pop(key)))
    return None if rest else layers
