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

from . import functional as F
from .functional import InterpolationMode, Picture


def _uniform(low: float, high: float) -> float:
    """The next random number between two."""
    return float(torch.empty(1).uniform_(low, high).item())


def _place(height: int, width: int, h: int, w: int) -> tuple[int, int]:
    """A random row and column at which h × w fits into height × width."""
    row, column = (
        int(torch.randint(0, left + 1, size=(1,)).item()) for left in (height - h, width - w)
    )
    return row, column


class Transform(nn.Module):
    """A transform of one picture: a function of the picture and of settings.

    A subclass names the function with `of=`; its settings, their order and defaults are then the
    function's own. `shows` says what its text shows, `reads` how a setting is read.
    """

    shows = ""
    reads: Any = MappingProxyType({})
    of: Any = None

    def __init_subclass__(cls, of: Any = None, shows: str | None = None, **reads: Any) -> None:
        if of is not None:
            cls.of = staticmethod(of)
        cls.shows = cls.shows if shows is None else shows
        cls.reads = {**cls.reads, **reads}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        bound = inspect.signature(self.of).bind(None, *args, **kwargs)
        bound.apply_defaults()
        names = list(bound.arguments)[1:]
        self._settings = tuple(names)
        self._set(**{name: bound.arguments[name] for name in names})

    def _set(self, **settings: Any) -> None:
        for name, value in settings.items():
            setattr(self, name, self.reads[name](value) if name in self.reads else value)

    def forward(self, img: Picture) -> Any:
        """The picture, transformed."""
        return self.of(img, *[getattr(self, name) for name in self._settings])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shows.format(**self.__dict__)})"


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
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        """What the function makes."""
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor(Transform, of=F.to_tensor):
    """A picture or array as a tensor; bytes become numbers from 0 to 1."""


class PILToTensor(Transform, of=F.pil_to_tensor):
    """A picture's numbers as they are, as a tensor."""


class ToPILImage(Transform, of=F.to_pil_image):
    """A tensor or array as a picture."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Transform, of=F.convert_image_dtype):
    """A tensor in another type."""


class Normalize(Transform, of=F.normalize, shows="mean={mean}, std={std}"):
    """(x − mean) / std for each channel."""


def _check_size(size: Any) -> Any:
    if not isinstance(size, int | Sequence):
        raise TypeError(f"Size should be int or sequence. Got {type(size)}")
    if isinstance(size, Sequence) and len(size) not in (1, 2):
        raise ValueError("If size is a sequence, it should have 1 or 2 values")
    return size


class Resize(Transform, of=F.resize, size=_check_size, interpolation=F.read_interpolation):
    """Another size: (height, width), or one number for the smaller edge."""

    shows = (
        "size={size}, interpolation={interpolation.value}, max_size={max_size}, "
        "antialias={antialias}"
    )


class CenterCrop(Transform, of=lambda img, size: F.center_crop(img, size), shows="size={size}",
                 size=F.read_size):  # fmt: skip
    """The middle."""


def _check_padding(padding: Any) -> Any:
    F.sides(padding)
    return padding


class Pad(Transform, of=F.pad, padding=_check_padding):
    """A frame."""

    shows = "padding={padding}, fill={fill}, padding_mode={padding_mode}"


class Grayscale(Transform, of=F.rgb_to_grayscale):
    """No colours, in one channel or three."""

    shows = "num_output_channels={num_output_channels}"


# At random


class _Flip(Transform, shows="p={p}"):
    """What happens to a picture with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        nn.Module.__init__(self)
        self.p = p

    def forward(self, img: Picture) -> Picture:
        """The picture, changed or as it was."""
        return self.of(img) if torch.rand(1) < self.p else img


class RandomHorizontalFlip(_Flip, of=F.hflip):
    """Left and right exchanged, with probability `p`."""


class RandomVerticalFlip(_Flip, of=F.vflip):
    """Top and bottom exchanged, with probability `p`."""


class _Random(Transform, interpolation=F.read_interpolation):
    """A transform with settings of its own, which draws numbers."""


def _rectangles(height: int, width: int, scale: Any, ratio: Any) -> Any:
    """Up to ten random pairs of sides, of a share of the area and a ratio of the two."""
    low, high = torch.log(torch.tensor(ratio)).tolist()
    for _ in range(10):
        area = height * width * _uniform(scale[0], scale[1])
        shape = torch.exp(torch.empty(1).uniform_(low, high)).item()
        yield round(math.sqrt(area * shape)), round(math.sqrt(area / shape))


def _check_ranges(scale: Any, ratio: Any) -> None:
    if not isinstance(scale, Sequence) or not isinstance(ratio, Sequence):
        raise TypeError("scale and ratio should be sequences of two numbers")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


class RandomErasing(_Random):
    """A random rectangle of a tensor gets a value, with probability `p`; "random": noise.

    Zhong et al., "Random erasing data augmentation" (2017).
    """

    shows = "p={p}, scale={scale}, ratio={ratio}, value={value}, inplace={inplace}"

    def __init__(
        self, p: float = 0.5, scale: Any = (0.02, 0.33), ratio: Any = (0.3, 3.3), value: Any = 0,
        inplace: bool = False,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        _check_ranges(scale, ratio)
        if not isinstance(value, numbers.Number | str | tuple | list):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if scale[0] < 0 or scale[1] > 1 or not 0 <= p <= 1:
            raise ValueError(f"scale and p should be between 0 and 1, but they are {scale} and {p}")
        self._set(p=p, scale=scale, ratio=ratio, value=value, inplace=inplace)

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

    def forward(self, img: Any) -> Any:
        """The tensor, with or without a rectangle."""
        if not isinstance(img, torch.Tensor):
            raise TypeError(f"img should be Tensor Image: use it after ToTensor. Got {type(img)}")
        if not torch.rand(1) < self.p:
            return img
        given = self.value if isinstance(self.value, list | tuple) else [self.value]
        value = None if given[0] in ("random", None) else [float(each) for each in given]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)"
            )
        row, column, h, w, values = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, row, column, h, w, values, self.inplace)


class RandomCrop(_Random, shows="size={size}, padding={padding}", size=F.read_size):
    """A part at a random place, of a picture that may get a frame first."""

    def __init__(
        self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        self._set(size=size, padding=padding, pad_if_needed=pad_if_needed, fill=fill,
                  padding_mode=padding_mode)  # fmt: skip

    @staticmethod
    def get_params(img: Picture, output_size: Any) -> tuple[int, int, int, int]:
        """Row, column, height, width."""
        _, height, width = F.get_dimensions(img)
        h, w = output_size
        if height < h or width < w:
            raise ValueError(
                f"Required crop size {(h, w)} is larger than input image size {(height, width)}"
            )
        if (h, w) == (height, width):
            return 0, 0, h, w
        return *_place(height, width, h, w), h, w

    def forward(self, img: Picture) -> Picture:
        """A part of the picture."""
        framed = self._framed(img)
        return F.crop(framed, *self.get_params(framed, self.size))

    def _framed(self, img: Picture) -> Picture:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            for d in (1, 0):
                lacks = max(self.size[d] - F.get_dimensions(img)[d + 1], 0)
                img = F.pad(img, (lacks * d, lacks * (1 - d)), self.fill, self.padding_mode)
        return img


class RandomResizedCrop(_Random, size=F.read_size):
    """A part of random size, ratio and place, resized."""

    resized: Any = staticmethod(F.resize)

    def __init__(
        self, size: Any, scale: Any = (0.08, 1.0), ratio: Any = (3 / 4, 4 / 3),
        interpolation: Any = "bilinear", antialias: bool | None = True,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        _check_ranges(scale, ratio)
        self._set(size=size, scale=scale, ratio=ratio, interpolation=interpolation,
                  antialias=antialias)  # fmt: skip

    def __repr__(self) -> str:
        scale, ratio = (
            tuple([round(each, 4) for each in pair]) for pair in (self.scale, self.ratio)
        )
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )

    @staticmethod
    def get_params(img: Picture, scale: Any, ratio: Any) -> tuple[int, int, int, int]:
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

    def forward(self, img: Picture) -> Picture:
        """A part of the picture, resized."""
        part = F.crop(img, *self.get_params(img, self.scale, self.ratio))
        return self.resized(part, self.size, self.interpolation, antialias=self.antialias)


def _read_range(name: str, value: Any, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """From − to + a number, or the numbers of a sequence."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [float(-value), float(value)]
    return [float(each) for each in _read_sequence(name, value, lengths)]


def _read_sequence(name: str, value: Any, lengths: tuple[int, ...] = (2,)) -> Any:
    wanted = f"{name} should be a sequence of length {' or '.join(map(str, lengths))}."
    if value is not None and not isinstance(value, Sequence):
        raise TypeError(wanted)
    if value is not None and len(value) not in lengths:
        raise ValueError(wanted)
    return value


def _read_fill(fill: Any) -> Any:
    if fill is not None and not isinstance(fill, Sequence | numbers.Number):
        raise TypeError("Fill should be either a sequence or a number.")
    return 0 if fill is None else fill


class RandomRotation(_Random, fill=_read_fill):
    """A turn by random degrees."""

    def __init__(
        self, degrees: Any, interpolation: Any = "nearest", expand: bool = False,
        center: Any = None, fill: Any = 0,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        self._set(degrees=_read_range("degrees", degrees), interpolation=interpolation,
                  expand=expand, fill=fill, center=_read_sequence("center", center))  # fmt: skip

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """The angle."""
        return _uniform(degrees[0], degrees[1])

    def forward(self, img: Picture) -> Picture:
        """The turned picture."""
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation="
            f"{self.interpolation.value}, expand={self.expand}{center}, fill={self.fill})"
        )


class RandomAffine(_Random, fill=_read_fill):
    """A random turn, shift, scale and shear."""

    def __init__(
        self, degrees: Any, translate: Any = None, scale: Any = None, shear: Any = None,
        interpolation: Any = "nearest", fill: Any = 0, center: Any = None,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        if not all(0.0 <= share <= 1.0 for share in _read_sequence("translate", translate) or ()):
            raise ValueError("translation values should be between 0 and 1")
        if not all(factor > 0 for factor in _read_sequence("scale", scale) or ()):
            raise ValueError("scale values should be positive")
        shears = None if shear is None else _read_range("shear", shear, (2, 4))
        self._set(degrees=_read_range("degrees", degrees), translate=translate, scale=scale,
                  shear=shears, interpolation=interpolation, fill=fill,
                  center=_read_sequence("center", center))  # fmt: skip

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

    def forward(self, img: Picture) -> Picture:
        """The changed picture."""
        _, height, width = F.get_dimensions(img)
        ranges = (self.degrees, self.translate, self.scale, self.shear)
        found = self.get_params(*ranges, (width, height))
        return F.affine(img, *found, self.interpolation, self.fill, self.center)

    def __repr__(self) -> str:
        usual = {"translate": None, "scale": None, "shear": None,
                 "interpolation": InterpolationMode.NEAREST, "fill": 0, "center": None}  # fmt: skip
        have = {name: getattr(self, name) for name in usual}
        shown = [f"{name}={getattr(value, 'value', value)}" for name, value in have.items()
                 if value != usual[name]]  # fmt: skip
        return f"{type(self).__name__}({', '.join([f'degrees={self.degrees}', *shown])})"
