"""`torchvision.transforms.v2`: transforms of samples, which are a picture and what goes with it.

A sample is a picture, or a tuple, list or dictionary that holds one: a picture of Pillow's, else
the first tensor. What goes with it stays as it is. Pictures are plain tensors here, no subclass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ..refusals import must, refuse
from . import functional as F
from . import transforms as v1
from .functional import InterpolationMode as InterpolationMode
from .functional import Picture


class Transform(nn.Module):
    """A transform of the picture in a sample; `takes` are the kinds of pictures that it changes."""

    takes: Any = (Image.Image, torch.Tensor)

    def forward(self, *inputs: Any) -> Any:
        """The sample with its picture transformed."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        found = [leaf for leaf in _leaves(sample) if isinstance(leaf, Image.Image)]
        found = found or [leaf for leaf in _leaves(sample) if isinstance(leaf, self.takes)][:1]
        told = "a sample with several pictures is not supported"
        must(len(found) <= 1, told, NotImplementedError)
        if not found or not isinstance(found[0], self.takes):
            return sample
        new = super().forward(found[0])
        return _mapped(sample, lambda part: new if part is found[0] else part)

    def extra_repr(self) -> str:
        """Its settings."""
        kinds = (bool, int, float, str, tuple, list, Enum)
        shown = [
            f"{name}={value}"
            for name, value in self.__dict__.items()
            if not name.startswith("_") and name != "training" and isinstance(value, kinds)
        ]
        return ", ".join(shown)

    __repr__ = nn.Module.__repr__


def _leaves(sample: Any) -> Iterator[Any]:
    if isinstance(sample, tuple | list | dict):
        for part in sample.values() if isinstance(sample, dict) else sample:
            yield from _leaves(part)
    else:
        yield sample


def _mapped(sample: Any, function: Callable[[Any], Any]) -> Any:
    """The sample with what the function makes of its parts."""
    if isinstance(sample, dict):
        return {key: _mapped(part, function) for key, part in sample.items()}
    if isinstance(sample, tuple | list):
        return type(sample)([_mapped(part, function) for part in sample])
    return function(sample)


class Compose(Transform):
    """Transforms one after another."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        told = "Argument transforms should be a sequence of callables"
        must(isinstance(transforms, Sequence), told, TypeError)
        must(transforms, "Pass at least one transform")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        """What the last one makes."""
        for transform in self.transforms:
            out = transform(*inputs)
            inputs = out if len(inputs) > 1 else (out,)
        return out

    def extra_repr(self) -> str:
        """The transforms."""
        return "\n".join(f"    {transform}" for transform in self.transforms)


class Lambda(Transform):
    """A function of each part of a sample, or of those of some types."""

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        """The sample with what the function makes of its parts."""
        return _mapped(
            inputs if len(inputs) > 1 else inputs[0],
            lambda part: self.lambd(part) if isinstance(part, self.types) else part,
        )

    def extra_repr(self) -> str:
        """The function's name, the types."""
        name = getattr(self.lambd, "__name__", None)
        types = f"types={[kind.__name__ for kind in self.types]}"
        return f"{name}, {types}" if name else types


def _to_image(pic: Any) -> Any:
    if isinstance(pic, np.ndarray):
        return torch.from_numpy(np.atleast_3d(pic)).permute(2, 0, 1).contiguous()
    return pic if isinstance(pic, torch.Tensor) else F.pil_to_tensor(pic)


def _to_dtype(img: Any, dtype: Any, scale: bool = False) -> Any:
    if not scale or img.dtype == dtype:
        return img.to(dtype)
    if dtype.is_floating_point and not img.is_floating_point():
        return img.to(dtype).mul_(1.0 / torch.iinfo(img.dtype).max)
    return F.convert_image_dtype(img, dtype)


def _to_range(img: Any, dtype: Any = torch.float32) -> Any:
    return _to_dtype(img, dtype, scale=True)


ToImage, ToPureTensor, ToDtype, ConvertImageDtype = (
    type(name, (Transform, v1.Transform), {"__doc__": doc, "__module__": __name__, "takes": takes},
         of=of)
    for name, of, takes, doc in (
        ("ToImage", _to_image, (Image.Image, torch.Tensor, np.ndarray),
         "A picture or array as a tensor (channels, height, width), its numbers as they are."),
        ("ToPureTensor", lambda img: img, torch.Tensor,
         "Nothing: pictures are plain tensors here."),
        ("ToDtype", _to_dtype, torch.Tensor,
         "A tensor in another type; with `scale`, over that type's range."),
        ("ConvertImageDtype", _to_range, torch.Tensor,
         "A tensor in another type, over that type's range."),
    )
)  # fmt: skip


class ToTensor(Transform, v1.ToTensor):
    """A picture or array as a tensor from 0 to 1."""

    takes = (Image.Image, np.ndarray)

    def __init__(self) -> None:
        warnings.warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. "
            "Instead, please use `v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, "
            "scale=True)])`.Output is equivalent up to float precision.",
            stacklevel=2,
        )
        super().__init__()


def _resize(
    img: Picture, size: Any, interpolation: Any = "bilinear", max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:  # fmt: skip
    return F.resize(img, size, interpolation, max_size, antialias, in_bytes=True)


def _read_padding(padding: Any) -> Any:
    left, top, right, bottom = F.sides(padding or 0)
    return [left, right, top, bottom] if padding else None


class RandomCrop(Transform, v1.RandomCrop, padding=_read_padding):
    """A part at a random place, of a picture that may get a frame first."""

    def _framed(self, img: Picture) -> Picture:
        _, height, width = F.get_dimensions(img)
        left, right, top, bottom = self.padding or [0] * 4
        if self.pad_if_needed:
            over = max(self.size[0] - height - top - bottom, 0)
            beside = max(self.size[1] - width - left - right, 0)
            left, right, top, bottom = left + beside, right + beside, top + over, bottom + over
        return F.pad(img, (left, top, right, bottom), self.fill, self.padding_mode)

    @staticmethod
    def get_params(img: Picture, output_size: Any) -> tuple[int, int, int, int]:
        """Row, column, height, width: a number is drawn where there is a choice only."""
        found, size = [], F.get_dimensions(img)[1:]
        told = f"Required crop size {output_size} is larger than input image size {tuple(size)}."
        for have, want in zip(size, output_size, strict=True):
            must(have >= want, told)
            found.append(int(torch.randint(0, have - want + 1, size=())) if have > want else 0)
        return found[0], found[1], output_size[0], output_size[1]


def _read_value(value: Any) -> Any:
    given = value if isinstance(value, tuple | list) else [value]
    return None if value == "random" else [float(each) for each in given]


def _given(interpolation: Any) -> Any:
    F.read_interpolation(interpolation)
    return interpolation


_LIKE_V1: dict[str, dict[str, Any]] = {
    "PILToTensor": {"takes": (Image.Image,)},
    "ToPILImage": {"takes": (torch.Tensor, np.ndarray)},
    "Normalize": {"mean": list, "std": list},
    "Resize": {
        "of": _resize, "interpolation": _given,
        "size": lambda size: [size] if isinstance(size, int) else list(size),
    },
    "RandomResizedCrop": {"resized": staticmethod(_resize), "interpolation": _given},
    "Pad": {"padding": lambda padding: padding if isinstance(padding, int) else list(padding)},
    "RandomRotation": {"interpolation": _given}, "RandomAffine": {"interpolation": _given},
    "RandomErasing": {"value": _read_value},
    "CenterCrop": {}, "Grayscale": {}, "RandomHorizontalFlip": {}, "RandomVerticalFlip": {},
}  # fmt: skip
"""The transforms that differ from v1's by what they take, and by how settings are read."""
for _name, _reads in _LIKE_V1.items():
    _v1 = getattr(v1, _name)
    _own: dict[str, Any] = {"__doc__": _v1.__doc__, "__module__": __name__}
    _own |= {key: _reads.pop(key) for key in ("takes", "resized") if key in _reads}
    globals()[_name] = type(_name, (Transform, _v1), _own, **_reads)

__getattr__ = refuse("torchvision.transforms.v2")
