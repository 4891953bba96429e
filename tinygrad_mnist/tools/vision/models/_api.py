"""The functions that build models, and the weights that they load: a row of a table for each."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any

from torch import hub, nn

from ..refusals import must, refuse
from ..transforms._presets import ImageClassification
from ..transforms.functional import InterpolationMode

__all__ = ["Weights", "WeightsEnum", "get_model", "get_model_builder", "get_model_weights",
           "get_weight", "list_models"]  # fmt: skip

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}
"""By name, the functions that build models."""
_CLASSES = 1000
"""Kinds of things in ImageNet, on which all of these weights were trained."""


class _Meta(dict[str, Any]):
    """What is known of weights; the rest is refused in a sentence."""

    def __missing__(self, key: str) -> Any:
        refuse("torchvision.models: weights.meta", {
            "categories": "the names of ImageNet's thousand classes are not carried",
        })(key)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """Where a file of weights is, and what pictures it was trained on."""

    url: str
    transforms: Callable[..., Any]
    meta: dict[str, Any]


class WeightsEnum(Enum):
    """The weights that there are for a model."""

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """The member that is meant: itself or its name; None stays None."""
        if isinstance(obj, str):
            return cls[obj.replace(f"{cls.__name__}.", "")]
        told = f"Invalid Weight class provided; expected {cls.__name__} but received"
        must(obj is None or isinstance(obj, cls), f"{told} {type(obj).__name__}.", TypeError)
        return obj

    def get_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The weights: read from the cache folder, where they are downloaded to if need be."""
        return hub.load_state_dict_from_url(self.url, *args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    url = property(lambda self: self.value.url)
    transforms = property(lambda self: self.value.transforms)
    meta = property(lambda self: self.value.meta)


def _weights(spec: str) -> Weights:
    """Of "file/crop/resize/interpolation/mean", of which only the first need be there."""
    file, *given = spec.split("/")
    crop, resize, kind, mean = [*given, *("224", "256", "bilinear", "")[len(given) :]]
    own: Any = {"mean": (float(mean),) * 3, "std": (float(mean),) * 3} if mean else {}
    preset = partial(
        ImageClassification, crop_size=int(crop), resize_size=int(resize),
        interpolation=InterpolationMode(kind), **own,
    )  # fmt: skip
    url = f"https://download.pytorch.org/models/{file}.pth"
    return Weights(url, preset, _Meta(crop_size=int(crop)))


def offer(
    names: dict[str, Any], family: str, rows: dict[str, Callable[..., nn.Module]],
    with_weights: Callable[[Any], dict[str, Any]] = lambda weights: {},
) -> None:  # fmt: skip
    """Put among a file's names the functions that build models, and the enums of their weights.

    A row's key is "name Name file…": the function's name, the enum's without "_Weights", and the
    files of IMAGENET1K_V1 and V2, or as `NAME=file`. `with_weights` are settings that go with them.
    """
    names["__all__"] = [family]
    module = names["__name__"]
    for row, make in rows.items():
        name, title, *specs = row.split()
        parts = [spec.rpartition("=")[::2] for spec in specs]
        members = {
            f"IMAGENET1K_{own or f'V{i}'}": _weights(spec) for i, (own, spec) in enumerate(parts, 1)
        }
        latest = max([i for i, (own, _) in enumerate(parts) if not own], default=0)
        members["DEFAULT"] = [*members.values()][latest]
        make_enum: Any = WeightsEnum
        kind = make_enum(f"{title}_Weights", members, module=module)
        build = _builder(name, make, kind, with_weights)
        build.__module__ = module
        names |= {kind.__name__: kind, name: build}
        names["__all__"] += [kind.__name__, name]
        _BUILDERS[name] = build


def _builder(
    name: str, make: Callable[..., nn.Module], kind: Any,
    with_weights: Callable[[Any], dict[str, Any]],
) -> Callable[..., nn.Module]:  # fmt: skip
    def build(
        *old: Any, weights: Any = None, progress: bool = True, **settings: Any
    ) -> nn.Module:  # fmt: skip
        weights, progress = _read_old(kind, old, weights, progress, settings)
        chosen = kind.verify(weights)
        if chosen is None:
            return make(**settings)
        classes = settings.setdefault("num_classes", _CLASSES)
        told = "The parameter 'num_classes' expected value"
        must(classes == _CLASSES, f"{told} {_CLASSES} but got {classes} instead.")
        model = make(**with_weights(chosen) | settings)
        model.load_state_dict(chosen.get_state_dict(progress=progress, check_hash=True))
        return model

    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"A model of the kind {name}, with weights if they are named."
    vars(build)["weights"] = kind
    return build


def _read_old(
    kind: Any, old: tuple[Any, ...], weights: Any, progress: bool, settings: dict[str, Any]
) -> tuple[Any, bool]:
    """What is said as before torchvision 0.13 (by position, or `pretrained`), under warnings."""
    if old:
        names = " and ".join(("'weights'", "'progress'")[: len(old)])
        warnings.warn(
            f"Using {names} as positional parameter(s) is deprecated since 0.13 and may be removed "
            "in the future. Please use keyword parameter(s) instead.",
            stacklevel=3,
        )
        weights, progress = (*old, progress)[:2]
    is_new = weights is None or isinstance(weights, kind | str)
    if (is_new and "pretrained" not in settings) or isinstance(weights, Enum):
        return weights, progress
    if is_new:
        weights = settings.pop("pretrained")
        warnings.warn(
            "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the future, "
            "please use 'weights' instead.",
            stacklevel=3,
        )
    chosen = kind.__members__.get("IMAGENET1K_V1") if weights else None
    must(chosen or not weights, f"No weights available for model {kind.__name__}")
    told = (
        "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 and "
        "may be removed in the future. The current behavior is equivalent to passing "
        f"`weights={chosen}`."
    )
    if chosen:
        told += (
            f" You can also use `weights={kind.__name__}.DEFAULT` to get the most up-to-date "
            "weights."
        )
    warnings.warn(told, stacklevel=3)
    return chosen, progress


def list_models(
    module: ModuleType | None = None, include: Any = None, exclude: Any = None
) -> list[str]:
    """The names of the models, those that a pattern or several include and none exclude.

    >>> from tinygrad_mnist.tools.vision import models
    >>> models.list_models(include="resnet*")
    ['resnet101', 'resnet152', 'resnet18', 'resnet34', 'resnet50']
    """
    place = module and module.__name__

    def fits(name: str, patterns: Any) -> bool:
        given = [patterns] if isinstance(patterns, str) else patterns
        return any(fnmatch.fnmatch(name, pattern) for pattern in given)

    return sorted(
        name for name, build in _BUILDERS.items()
        if place in (None, build.__module__) and (not include or fits(name, include))
        and not (exclude and fits(name, exclude))
    )  # fmt: skip


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds the model of a name."""
    must(name.lower() in _BUILDERS, f"Unknown model {name}")
    return _BUILDERS[name.lower()]


def get_model(name: str, **config: Any) -> nn.Module:
    """The model of a name, built with the settings of its function."""
    return get_model_builder(name)(**config)


def get_model_weights(name: Any) -> Any:
    """The enum of the weights of a model, told by its name or its function."""
    build: Any = get_model_builder(name) if isinstance(name, str) else name
    return build.weights


def get_weight(name: str) -> Any:
    """The weights of a name such as "ResNet50_Weights.IMAGENET1K_V2"."""
    title, _, member = name.partition(".")
    kinds = (get_model_weights(each) for each in _BUILDERS)
    found = [each for each in kinds if each.__name__ == title]
    must(found, f"The weight enum '{title}' could not be found")
    return found[0][member]


def begin(model: nn.Module, conv: Callable[[Any], Any], linear: Any = None) -> None:
    """Give convolutions, and linear layers, their first weights by a function; biases are zero."""
    for layer in model.modules():
        draw = {nn.Conv2d: conv, nn.Linear: linear}.get(type(layer))
        if draw is not None:
            draw(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


fan_out = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")
"""First weights of a convolution before a relu."""
near_zero = partial(nn.init.normal_, mean=0.0, std=0.01)
"""First weights of a linear layer."""


def make_divisible(width: float, divisor: int = 8, least: int | None = None) -> int:
    """The nearest number of channels that `divisor` divides, at least nine tenths of `width`."""
    near = max(least or divisor, int(width + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * width else near
