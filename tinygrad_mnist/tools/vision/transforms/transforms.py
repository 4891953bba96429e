"""Transforms of pictures; the random ones draw their numbers as torchvision's do."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ..refusals import must
from . import functional as F
from .functional import InterpolationMode, Picture

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype", "Grayscale",
    "InterpolationMode", "Lambda", "Normalize", "PILToTensor", "Pad", "RandomAffine",
    "RandomCrop", "RandomErasing", "RandomHorizontalFlip", "RandomResizedCrop",
    "RandomRotation", "RandomVerticalFlip", "Resize", "ToPILImage", "ToTensor",
]  # fmt: skip


class Transform(nn.Module):
    """A transform of one picture: `of`, a function of the picture and of settings.

    The function's signature tells the settings, their order and defaults; `reads`, how one is
    read. `shows` are those in its text: "center?" where it is not the default, "scale~" rounded.
    """

    shows = ""
    reads: Any = MappingProxyType({})
    of: Any = None

    def __init_subclass__(cls, of: Any = None, shows: str = "", **reads: Any) -> None:
        if of is not None:
            cls.of = staticmethod(of)
        cls.shows = shows or cls.shows
        cls.reads = {**cls.reads, **reads}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        signature = inspect.signature(self.of)
        bound = signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        self._settings = list(bound.arguments)[1:]
        self._defaults = {
            name: self._read(name, signature.parameters[name].default)
            for name in self._settings if f"{name}?" in self.shows
        }  # fmt: skip
        for name in sorted(self._settings, key="center".__eq__):  # last in the text of v2
            setattr(self, name, self._read(name, bound.arguments[name]))

    def _read(self, name: str, value: Any) -> Any:
        return self.reads[name](value) if name in self.reads else value

    def forward(self, img: Picture) -> Any:
        """The picture, transformed."""
        return self.of(img, *[getattr(self, name) for name in self._settings])

    def __repr__(self) -> str:
        told = []
        for entry in self.shows.split():
            name = entry.rstrip("?~")
            value = getattr(self, name)
            if entry[-1] == "~":
                value = tuple([round(each, 4) for each in value])
            if entry[-1] != "?" or value != self._defaults[name]:
                told.append(f"{name}={getattr(value, 'value', value)}")
        return f"{type(self).__name__}({', '.join(told)})"


class Compose:
    """Transforms one after another.

    >>> import numpy as np
    >>> from tinygrad_mnist.tools.vision import transforms
    >>> both = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    >>> both(np.zeros((1, 2), np.uint8))
    tensor([[[-1., -1.]]])
    >>> both
    Compose(
        ToTensor()
        Normalize(mean=0.5, std=0.5)
    )
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        """What the last one makes."""
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = [f"    {transform}" for transform in self.transforms]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


class Lambda:
    """A function as a transform."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        told = f"Argument lambd should be callable, got {type(lambd).__name__!r}"
        must(callable(lambd), told, TypeError)
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        """What the function makes."""
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# How settings are read


def _sequence(name: str, *lengths: int, optional: bool = False) -> Callable[[Any], Any]:
    """Reads a sequence of one of these lengths."""

    def read(value: Any) -> Any:
        wanted = f"{name} should be a sequence of length {' or '.join(map(str, lengths))}."
        if not optional or value is not None:
            must(isinstance(value, Sequence), wanted, TypeError)
            must(len(value) in lengths, wanted)
        return value

    return read


def _range(name: str, *lengths: int, optional: bool = False) -> Callable[[Any], Any]:
    """Reads the numbers of a sequence; one number means from − to + that."""
    sequence = _sequence(name, *lengths, optional=optional)

    def read(value: Any) -> Any:
        if isinstance(value, int | float):
            must(value >= 0, f"If {name} is a single number, it must be positive.")
            return [float(-value), float(value)]
        return sequence(value) and [float(each) for each in value]

    return read


def _numbers(name: str, told: str, holds: Callable[[float], bool]) -> Callable[[Any], Any]:
    """Reads two numbers for each of which something holds."""
    sequence = _sequence(name, 2, optional=True)

    def read(value: Any) -> Any:
        must(all(map(holds, sequence(value) or ())), f"{name} values should be {told}: {value}")
        return value

    return read


def _shares(name: str) -> Callable[[Any], Any]:
    return _numbers(name, "between 0 and 1", lambda each: 0 <= each <= 1)


def _pair(value: Any) -> Any:
    """The smallest and the largest."""
    told = "scale and ratio should be sequences of two numbers"
    must(isinstance(value, Sequence), told, TypeError)
    if value[0] > value[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=5)
    return value


def _size(size: Any) -> Any:
    told = f"Size should be int or sequence. Got {type(size)}"
    must(isinstance(size, int | Sequence), told, TypeError)
    return _sequence("size", 1, 2)(size) if isinstance(size, Sequence) else size


def _padding(padding: Any) -> Any:
    F.sides(padding)
    return padding


def _fill(fill: Any) -> Any:
    told = "Fill should be either a sequence or a number."
    must(fill is None or isinstance(fill, Sequence | numbers.Number), told, TypeError)
    return 0 if fill is None else fill


def _erased(value: Any) -> Any:
    told = "Argument value should be either a number or str or a sequence"
    must(isinstance(value, numbers.Number | str | tuple | list), told, TypeError)
    must(not isinstance(value, str) or value == "random", "If value is str, it is 'random'")
    return value


# Without chance


def _flip(flipped: Callable[[Picture], Picture]) -> Callable[..., Picture]:
    return lambda img, p=0.5: flipped(img) if torch.rand(1) < p else img


def _made(name: str, doc: str, of: Any, shows: str = "", **reads: Any) -> Any:
    """The class of a transform that is a function."""
    own = {"__doc__": doc, "__module__": __name__}
    return type(name, (Transform,), own, of=of, shows=shows, **reads)


ToTensor = _made(
    "ToTensor", "A picture or array as a tensor; bytes become numbers from 0 to 1.", F.to_tensor
)
PILToTensor = _made("PILToTensor", "A picture's numbers as they are, as a tensor.", F.pil_to_tensor)
ToPILImage = _made("ToPILImage", "A tensor or array as a picture.", F.to_pil_image, "mode?")
ConvertImageDtype = _made("ConvertImageDtype", "A tensor in another type.", F.convert_image_dtype)
Normalize = _made("Normalize", "(x − mean) / std for each channel.", F.normalize, "mean std")
Resize = _made(
    "Resize", "Another size: (height, width), or one number for the smaller edge.", F.resize,
    "size interpolation max_size antialias", size=_size, interpolation=F.read_interpolation,
)  # fmt: skip
CenterCrop = _made(
    "CenterCrop", "The middle.", lambda img, size: F.center_crop(img, size), "size",
    size=F.read_size,
)  # fmt: skip
Pad = _made("Pad", "A frame.", F.pad, "padding fill padding_mode", padding=_padding)
Grayscale = _made(
    "Grayscale", "No colours, in one channel or three.", F.rgb_to_grayscale, "num_output_channels"
)
RandomHorizontalFlip = _made(
    "RandomHorizontalFlip", "Left and right exchanged, with probability `p`.", _flip(F.hflip), "p"
)
RandomVerticalFlip = _made(
    "RandomVerticalFlip", "Top and bottom exchanged, with probability `p`.", _flip(F.vflip), "p"
)


# At random


def _uniform(low: float, high: float) -> float:
    """The next random number between two."""
    return float(torch.empty(1).uniform_(low, high).item())


def _place(height: int, width: int, h: int, w: int) -> tuple[int, ...]:
    """A random row and column at which h × w fits into height × width."""
    free = height - h, width - w
    return tuple([int(torch.randint(0, left + 1, size=(1,)).item()) for left in free])


def _rectangles(height: int, width: int, scale: Any, ratio: Any) -> Any:
    """Up to ten random pairs of sides, of a share of the area and a ratio of the two."""
    low, high = torch.log(torch.tensor(ratio)).tolist()
    for _ in range(10):
        area = height * width * _uniform(scale[0], scale[1])
        shape = torch.exp(torch.empty(1).uniform_(low, high)).item()
        yield round(math.sqrt(area * shape)), round(math.sqrt(area / shape))


class RandomErasing(
    Transform, shows="p scale ratio value inplace", ratio=_pair, value=_erased,
    p=lambda p: _shares("p")([p, p])[0], scale=lambda scale: _shares("scale")(_pair(scale)),
):  # fmt: skip
    """A random rectangle of a tensor gets a value, with probability `p`; "random": noise.

    Zhong et al., "Random erasing data augmentation" (2017).
    """

    @staticmethod
    def get_params(img: Any, scale: Any, ratio: Any, value: Any = None) -> tuple[Any, ...]:
        """Row, column, height, width, values."""
        channels, height, width = img.shape[-3:]
        for h, w in _rectangles(height, width, scale, ratio):
            if h < height and w < width:
                if value is None:
                    values = torch.empty([channels, h, w], dtype=torch.float32).normal_()
                else:
                    values = torch.tensor(value)[:, None, None]
                return *_place(height, width, h, w), h, w, values
        return 0, 0, height, width, img

    def of(
        self, img: Any, p: float = 0.5, scale: Any = (0.02, 0.33), ratio: Any = (0.3, 3.3),
        value: Any = 0, inplace: bool = False,
    ) -> Any:  # fmt: skip
        """The tensor, with or without a rectangle."""
        told = f"img should be Tensor Image: use it after ToTensor. Got {type(img)}"
        must(isinstance(img, torch.Tensor), told, TypeError)
        if not torch.rand(1) < p:
            return img
        given = value if isinstance(value, list | tuple) else [value]
        values = None if given[0] in ("random", None) else [float(each) for each in given]
        told = "If value is a sequence, it should have either a single value or one a channel"
        must(values is None or len(values) in (1, img.shape[-3]), told)
        row, column, h, w, new = self.get_params(img, scale, ratio, values)
        return F.erase(img, row, column, h, w, new, inplace)


class RandomCrop(Transform, shows="size padding", size=F.read_size):
    """A part at a random place, of a picture that may get a frame first."""

    @staticmethod
    def get_params(img: Picture, output_size: Any) -> tuple[int, ...]:
        """Row, column, height, width."""
        _, height, width = F.get_dimensions(img)
        h, w = output_size
        told = f"Required crop size {(h, w)} is larger than input image size {(height, width)}"
        must(h <= height and w <= width, told)
        place = (0, 0) if (h, w) == (height, width) else _place(height, width, h, w)
        return *place, h, w

    def of(
        self, img: Picture, size: Any, padding: Any = None, pad_if_needed: bool = False,
        fill: Any = 0, padding_mode: str = "constant",
    ) -> Picture:  # fmt: skip
        """A part of the picture."""
        framed = self._framed(img)
        return F.crop(framed, *self.get_params(framed, size))

    def _framed(self, img: Picture) -> Picture:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            for d in (1, 0):
                lacks = max(self.size[d] - F.get_dimensions(img)[d + 1], 0)
                img = F.pad(img, (lacks * d, lacks * (1 - d)), self.fill, self.padding_mode)
        return img


class RandomResizedCrop(
    Transform, shows="size scale~ ratio~ interpolation antialias", size=F.read_size, scale=_pair,
    ratio=_pair, interpolation=F.read_interpolation,
):  # fmt: skip
    """A part of random size, ratio and place, resized."""

    resized: Any = staticmethod(F.resize)

    @staticmethod
    def get_params(img: Picture, scale: Any, ratio: Any) -> tuple[int, ...]:
        """Row, column, height, width."""
        _, height, width = F.get_dimensions(img)
        for w, h in _rectangles(height, width, scale, ratio):
            if 0 < w <= width and 0 < h <= height:
                return *_place(height, width, h, w), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def of(
        self, img: Picture, size: Any, scale: Any = (0.08, 1.0), ratio: Any = (3 / 4, 4 / 3),
        interpolation: Any = "bilinear", antialias: bool | None = True,
    ) -> Picture:  # fmt: skip
        """A part of the picture, resized."""
        part = F.crop(img, *self.get_params(img, scale, ratio))
        return self.resized(part, size, interpolation, antialias=antialias)


class _Turn(
    Transform, degrees=_range("degrees", 2), center=_sequence("center", 2, optional=True),
    fill=_fill, interpolation=F.read_interpolation,
):  # fmt: skip
    """A turn by random degrees, and more."""


class RandomRotation(_Turn, shows="degrees interpolation expand center? fill"):
    """A turn by random degrees."""

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """The angle."""
        return _uniform(degrees[0], degrees[1])

    def of(
        self, img: Picture, degrees: Any, interpolation: Any = "nearest", expand: bool = False,
        center: Any = None, fill: Any = 0,
    ) -> Picture:  # fmt: skip
        """The turned picture."""
        return F.rotate(img, self.get_params(degrees), interpolation, expand, center, fill)


class RandomAffine(
    _Turn, shows="degrees translate? scale? shear? interpolation? fill? center?",
    translate=_shares("translate"), scale=_numbers("scale", "positive", lambda each: each > 0),
    shear=_range("shear", 2, 4, optional=True),
):  # fmt: skip
    """A random turn, shift, scale and shear."""

    @staticmethod
    def get_params(
        degrees: Any, translate: Any, scale_ranges: Any, shears: Any, img_size: Any
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Angle, shift, scale, shear."""
        angle, shift, shear = _uniform(degrees[0], degrees[1]), [0, 0], [0.0, 0.0]
        if translate is not None:
            most = [float(share * size) for share, size in zip(translate, img_size, strict=True)]
            shift = [round(_uniform(-each, each)) for each in most]
        scale = 1.0 if scale_ranges is None else _uniform(scale_ranges[0], scale_ranges[1])
        for i in range(0 if shears is None else len(shears) // 2):
            shear[i] = _uniform(shears[2 * i], shears[2 * i + 1])
        return angle, (shift[0], shift[1]), scale, (shear[0], shear[1])

    def of(
        self, img: Picture, degrees: Any, translate: Any = None, scale: Any = None,
        shear: Any = None, interpolation: Any = "nearest", fill: Any = 0, center: Any = None,
    ) -> Picture:  # fmt: skip
        """The changed picture."""
        _, height, width = F.get_dimensions(img)
        found = self.get_params(degrees, translate, scale, shear, (width, height))
        return F.affine(img, *found, interpolation, fill, center)


def _around(name: str, center: float, low: float, high: float) -> Callable[[Any], Any]:
    """Reads a range: of one number, as far on both sides of `center`; None where it is no range."""

    def read(value: Any) -> Any:
        if isinstance(value, numbers.Number):
            must(value >= 0, f"If {name} is a single number, it must be non negative.")  # type: ignore[operator]
            value = (max(center - value, low) if center else -value, center + value)  # type: ignore[operator]
        told = f"{name} should be a single number or a list/tuple with length 2."
        must(isinstance(value, tuple | list) and len(value) == 2, told, TypeError)
        least, most = map(float, value)
        told = f"{name} values should be between {(low, high)}, but got {value}."
        must(low <= least <= most <= high, told)
        return None if least == most == center else (least, most)

    return read


class ColorJitter(
    Transform, shows="brightness contrast saturation hue",
    brightness=_around("brightness", 1, 0, math.inf),
    contrast=_around("contrast", 1, 0, math.inf),
    saturation=_around("saturation", 1, 0, math.inf), hue=_around("hue", 0, -0.5, 0.5),
):  # fmt: skip
    """Random brightness, contrast, saturation and hue, in random order."""

    @staticmethod
    def get_params(*ranges: Any) -> tuple[Any, ...]:
        """The order of the four, and how much of each."""
        order = torch.randperm(4)
        return order, *[each and _uniform(each[0], each[1]) for each in ranges]

    def of(
        self, img: Picture, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0,
        hue: Any = 0,
    ) -> Picture:  # fmt: skip
        """The picture in other colours."""
        order, *factors = self.get_params(brightness, contrast, saturation, hue)
        for i in order.tolist():
            if factors[i] is not None:
                name = ("brightness", "contrast", "saturation", "hue")[i]
                img = getattr(F, f"adjust_{name}")(img, factors[i])
        return img
