"""What transforms do to one picture, Pillow's or a tensor (…, channels, height, width)."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from ..refusals import must, refuse

Picture = Any
"""A PIL.Image.Image or a tensor."""


class InterpolationMode(Enum):
    """How numbers between pixels are made."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_OF_PILLOW = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
_OF_MODE = {"I": np.int32, "I;16": np.int16, "F": np.float32}
_KINDS = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}
_MODES = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
"""Pillow's modes of gray pictures of a type, and of pictures with so many channels."""


def read_interpolation(interpolation: Any) -> InterpolationMode:
    """The mode that is meant: itself, its name, or Pillow's number."""
    if isinstance(interpolation, int):
        interpolation = {number: name for name, number in _OF_PILLOW.items()}[interpolation]
    must(
        isinstance(interpolation, InterpolationMode | str), "Argument interpolation should be a "
        f"InterpolationMode or a corresponding Pillow integer constant: {interpolation!r}",
        TypeError,
    )  # fmt: skip
    return InterpolationMode(interpolation)


def _filter(interpolation: Any) -> Any:
    return _OF_PILLOW.get(read_interpolation(interpolation).value, 0)


def is_tensor(img: Picture) -> bool:
    """Whether a picture is a tensor; raises TypeError where it is no picture at all."""
    told = f"img should be PIL Image or Tensor. Got {type(img)}"
    must(isinstance(img, torch.Tensor | Image.Image), told, TypeError)
    return isinstance(img, torch.Tensor)


def get_dimensions(img: Picture) -> list[int]:
    """Channels, height, width."""
    if is_tensor(img):
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    return [len(img.getbands()), img.height, img.width]


# From pictures to tensors and back


def to_tensor(pic: Any) -> Any:
    """A picture or array (height, width, channels) as a tensor (channels, height, width).

    Bytes become floating-point numbers from 0 to 1; other numbers stay what they are.

    >>> import numpy as np
    >>> from tinygrad_mnist.tools.vision.transforms import functional
    >>> functional.to_tensor(np.array([[0, 51], [102, 255]], np.uint8))
    tensor([[[0.0000, 0.2000],
             [0.4000, 1.0000]]])
    """
    told = f"pic should be PIL Image or ndarray. Got {type(pic)}"
    must(isinstance(pic, np.ndarray | Image.Image), told, TypeError)
    array: Any = pic
    if isinstance(pic, Image.Image):
        array = np.array(pic, _OF_MODE.get(pic.mode, np.uint8))
        array = array * 255 if pic.mode == "1" else array
    must(array.ndim in (2, 3), f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    array = array[:, :, None] if array.ndim == 2 else array
    tensor = torch.from_numpy(array.transpose(2, 0, 1)).contiguous()
    if tensor.dtype == torch.uint8:
        return tensor.to(torch.get_default_dtype()).div(255)
    return tensor


def pil_to_tensor(pic: Picture) -> Any:
    """A picture's numbers as they are, as a tensor (channels, height, width)."""
    must(isinstance(pic, Image.Image), f"pic should be PIL Image. Got {type(pic)}", TypeError)
    array = np.array(pic)
    return torch.as_tensor(array[:, :, None] if array.ndim == 2 else array).permute(2, 0, 1)


def to_pil_image(pic: Any, mode: Any = None) -> Image.Image:
    """A tensor (channels, height, width), or an array (height, width, channels), as a picture."""
    if isinstance(pic, torch.Tensor):
        pic = (pic.permute(1, 2, 0) if pic.ndim == 3 else pic).detach().cpu().numpy()
    must(
        isinstance(pic, np.ndarray), f"pic should be Tensor or ndarray. Got {type(pic)}.", TypeError
    )
    must(pic.ndim in (2, 3), f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    channels = pic.shape[2] if pic.ndim == 3 else 1
    must(1 <= channels <= 4, f"pic should not have > 4 channels. Got {channels} channels.")
    if np.issubdtype(pic.dtype, np.floating) and mode != "F":
        pic = (pic * 255).astype(np.uint8)
    modes = (_KINDS.get(pic.dtype.name),) if channels == 1 else _MODES[channels]
    if mode is None and (channels == 1 or pic.dtype == np.uint8):
        mode = modes[0]
    must(mode is not None, f"Input type {pic.dtype} is not supported", TypeError)
    must(mode in modes, f"mode is {mode}; expected one of {modes} for such a picture")
    array = np.ascontiguousarray(pic.reshape(pic.shape[:2]) if channels == 1 else pic)
    made = Image.fromarray(array)
    return made if made.mode == mode else Image.frombytes(mode, made.size, array.tobytes())


def convert_image_dtype(image: Any, dtype: Any = torch.float32) -> Any:
    """A tensor in another type: from 0 to 1, or over the whole range of an integer type."""
    must(isinstance(image, torch.Tensor), "Input img should be Tensor Image", TypeError)
    if image.dtype == dtype or (image.is_floating_point() and dtype.is_floating_point):
        return image.to(dtype)
    if image.is_floating_point():
        unsafe = dtype == torch.int64 or (image.dtype, dtype) == (torch.float32, torch.int32)
        told = f"The cast from {image.dtype} to {dtype} cannot be performed safely."
        must(not unsafe, told, RuntimeError)
        return image.mul(torch.iinfo(dtype).max + 1.0 - 1e-3).to(dtype)
    have = torch.iinfo(image.dtype).max
    if dtype.is_floating_point:
        return image.to(dtype) / have
    want = torch.iinfo(dtype).max
    if have > want:
        return torch.div(image, (have + 1) // (want + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((want + 1) // (have + 1))


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Any:
    """(x − mean) / std, with a mean and a std for each channel.

    >>> import torch
    >>> from tinygrad_mnist.tools.vision.transforms import functional
    >>> functional.normalize(torch.tensor([[[0.0, 1.0]]]), (0.5,), (0.5,))
    tensor([[[-1.,  1.]]])
    """
    told = f"img should be Tensor Image. Got {type(tensor)}"
    must(isinstance(tensor, torch.Tensor), told, TypeError)
    told = f"Input tensor should be a float tensor. Got {tensor.dtype}."
    must(tensor.is_floating_point(), told, TypeError)
    must(tensor.ndim >= 3, f"Expected tensor of size (..., C, H, W). Got size {tensor.size()}")
    mean, std = (torch.as_tensor(each, dtype=tensor.dtype) for each in (mean, std))
    told = f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero."
    must(not (std == 0).any(), told)
    mean, std = (each.view(-1, 1, 1) if each.ndim == 1 else each for each in (mean, std))
    return (tensor if inplace else tensor.clone()).sub_(mean).div_(std)


# Cutting, turning over, stretching


def hflip(img: Picture) -> Picture:
    """Left and right exchanged."""
    return img.flip(-1) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Picture) -> Picture:
    """Top and bottom exchanged."""
    return img.flip(-2) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def sides(padding: Any) -> Any:
    """Left, top, right, bottom: of one number for all, two (left and right, top and bottom), four.

    >>> from tinygrad_mnist.tools.vision.transforms import functional
    >>> functional.sides((1, 2))
    [1, 2, 1, 2]
    """
    told = f"Got inappropriate padding arg: {padding!r}"
    must(isinstance(padding, numbers.Number | tuple | list), told, TypeError)
    given = [padding] if isinstance(padding, numbers.Number) else list(padding)
    told = f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(given)} element tuple"
    must(len(given) in (1, 2, 4), told)
    return given * (4 // len(given))


def pad(img: Picture, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Picture:
    """A frame around a picture: of one colour, or of what lies within."""
    left, top, right, bottom = sides(padding)
    told = "Padding mode should be either constant, edge, reflect or symmetric"
    must(padding_mode in ("constant", "edge", "reflect", "symmetric"), told)
    if padding_mode == "constant":
        if is_tensor(img):
            around = (left, right, top, bottom)
            return torch.nn.functional.pad(img, around, value=float(fill or 0))
        return ImageOps.expand(img, (left, top, right, bottom), _fill(fill, img))
    _, height, width = get_dimensions(img)
    kind: Any = padding_mode
    rows = np.pad(np.arange(height), (top, bottom), kind)
    columns = np.pad(np.arange(width), (left, right), kind)
    if is_tensor(img):
        return img[..., torch.from_numpy(rows)[:, None], torch.from_numpy(columns)]
    made = Image.fromarray(np.asarray(img)[rows[:, None], columns])
    if img.mode == "P":
        made.putpalette(img.getpalette())
    return made


def _fill(fill: Any, img: Image.Image) -> Any:
    """A colour as Pillow takes it: a number for each channel."""
    channels = len(img.getbands())
    colours = list(fill) if isinstance(fill, tuple | list) else [fill or 0]
    told = "The number of elements in 'fill' does not match the number of channels of the image"
    must(len(colours) in (1, channels), f"{told} ({len(colours)} != {channels})")
    whole = [float(each) if img.mode == "F" else int(each) for each in colours]
    return whole[0] if channels == 1 else tuple(whole * (channels // len(whole)))


def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """A part of a picture; what lies outside is black."""
    right, bottom = left + width, top + height
    if not is_tensor(img):
        return img.crop((left, top, right, bottom))
    _, h, w = get_dimensions(img)
    inner = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    outside = (max(-left, 0), max(-top, 0), max(right - w, 0), max(bottom - h, 0))
    return pad(inner, outside) if any(outside) else inner


def read_size(size: Any) -> tuple[int, int]:
    """Height and width; one number means a square."""
    given = (int(size),) if isinstance(size, int | float) else tuple(size)
    must(len(given) in (1, 2), "Please provide only two dimensions (h, w) for size.")
    return given[0], given[-1]


def center_crop(img: Picture, output_size: Any) -> Picture:
    """The middle of a picture, in a black frame where the picture is smaller."""
    height, width = read_size(output_size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        over, beside = max(height - h, 0), max(width - w, 0)
        img = pad(img, [beside // 2, over // 2, (beside + 1) // 2, (over + 1) // 2])
        h, w = max(h, height), max(w, width)
    return crop(img, round((h - height) / 2), round((w - width) / 2), height, width)


def _resized(img: Picture, size: Any, max_size: int | None) -> list[int]:
    """The height and width that `resize` is asked for."""
    _, h, w = get_dimensions(img)
    given = [size] if isinstance(size, int) else list(size)
    told = "Size must be an int or a 1 or 2 element tuple/list, without max_size if it has 2"
    must(len(given) in ((1, 2) if max_size is None else (1,)), f"{told}: {size}, {max_size}")
    if len(given) == 2:
        return given
    short, long = given[0], int(given[0] * max(h, w) / min(h, w))
    told = "must be strictly greater than the requested size for the smaller edge size"
    must(max_size is None or max_size > short, f"max_size = {max_size} {told} = {size}")
    if max_size is not None and long > max_size:
        short, long = int(max_size * short / long), max_size
    return [long, short] if w <= h else [short, long]


def resize(
    img: Picture, size: Any, interpolation: Any = "bilinear", max_size: int | None = None,
    antialias: bool | None = True, in_bytes: bool = False,
) -> Picture:  # fmt: skip
    """A picture in another size: (height, width), or one number for the smaller edge.

    Tensors of bytes are resized by way of float32, unless `in_bytes`.
    """
    mode = read_interpolation(interpolation)
    height, width = _resized(img, size, max_size)
    if get_dimensions(img)[1:] == [height, width]:
        return img
    if not is_tensor(img):
        return img.resize((width, height), _filter(mode))
    between, kind = mode.value in ("bilinear", "bicubic"), img.dtype
    smooth = bool(antialias) and between
    kept = kind.is_floating_point or (in_bytes and smooth and kind == torch.uint8)
    batch = img.reshape(-1, *img.shape[-3:]).to(kind if kept else torch.float32)
    out = torch.nn.functional.interpolate(
        batch, size=[height, width], mode=mode.value, align_corners=False if between else None,
        antialias=smooth,
    )  # fmt: skip
    if not kept:
        out = (out.clamp(0, 255) if kind == torch.uint8 else out).round()
    return out.to(kind).reshape(*img.shape[:-2], height, width)


def resized_crop(
    img: Picture, top: int, left: int, height: int, width: int, size: Any,
    interpolation: Any = "bilinear", antialias: bool | None = True,
) -> Picture:  # fmt: skip
    """A part of a picture, in another size."""
    part = crop(img, top, left, height, width)
    return resize(part, size, interpolation, antialias=antialias)


def rotate(
    img: Picture, angle: float, interpolation: Any = "nearest", expand: bool = False,
    center: Any = None, fill: Any = None,
) -> Picture:  # fmt: skip
    """A Pillow picture turned by so many degrees, to the left."""
    _check_pillow("rotate", img)
    colour = _fill(fill, img)
    return img.rotate(angle, _filter(interpolation), expand, center, fillcolor=colour)


def affine(
    img: Picture, angle: float, translate: Sequence[float], scale: float, shear: Any,
    interpolation: Any = "nearest", fill: Any = None, center: Any = None,
) -> Picture:  # fmt: skip
    """A Pillow picture sheared and turned by degrees, scaled, and shifted by pixels."""
    _check_pillow("affine", img)
    must(scale > 0.0, "Argument scale should be positive")
    given = [float(shear), 0.0] if isinstance(shear, int | float) else list(shear)
    middle = center or (img.width * 0.5, img.height * 0.5)
    matrix = inverse_affine(middle, angle, translate, scale, given * (2 // len(given)))
    kind, colour = Image.Transform.AFFINE, _fill(fill, img)
    return img.transform(img.size, kind, matrix, _filter(interpolation), fillcolor=colour)


def _check_pillow(name: str, img: Picture) -> None:
    told = f"{name} takes PIL pictures here: apply it before ToTensor"
    must(not is_tensor(img), told, NotImplementedError)


def inverse_affine(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float,
    shear: Sequence[float],
) -> list[float]:  # fmt: skip
    """The six numbers that tell where a pixel at (x, y) of the new picture comes from.

    A picture is sheared along y and x, turned by `angle` degrees, scaled about its center, then
    shifted: this is the inverse, as Pillow takes it.
    """
    turn, sx, sy = (math.radians(each) for each in (angle, *shear))
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    x, y = (-at - by for at, by in zip(center, translate, strict=True))
    made = []
    for row, at in (((d, -b), center[0]), ((-c, a), center[1])):
        p, q = (part / scale for part in row)
        made += [p, q, 0.0 + (p * x + q * y) + at]
    return made


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """A tensor whose rectangle (row i, column j, height h, width w) has the values `v`."""
    told = f"img should be Tensor Image. Got {type(img)}"
    must(isinstance(img, torch.Tensor), told, TypeError)
    out = img if inplace else img.clone()
    out[..., i : i + h, j : j + w] = v
    return out


def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """A picture without its colours, in one channel or three equal ones."""
    must(num_output_channels in (1, 3), "num_output_channels should be either 1 or 3")
    if not is_tensor(img):
        gray = img.convert("L")
        return gray if num_output_channels == 1 else Image.merge("RGB", [gray] * 3)
    gray = img.clone()
    if img.shape[-3] == 3:
        red, green, blue = img.unbind(-3)
        gray = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(-3)
    return gray if num_output_channels == 1 else gray.expand(*img.shape[:-3], 3, *img.shape[-2:])


to_grayscale = rgb_to_grayscale


# Colours of Pillow's pictures


def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """A picture so many times as bright."""
    return _enhanced("Brightness", img, brightness_factor)


def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """A picture whose contrasts are so many times as strong."""
    return _enhanced("Contrast", img, contrast_factor)


def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """A picture whose colours are so many times as strong."""
    return _enhanced("Color", img, saturation_factor)


def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """A picture so many times as sharp."""
    return _enhanced("Sharpness", img, sharpness_factor)


def _enhanced(kind: str, img: Picture, factor: float) -> Picture:
    _check_pillow(f"adjusting {kind.lower()}", img)
    return getattr(ImageEnhance, kind)(img).enhance(factor)


def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """A picture whose colours are turned by a share, from −0.5 to 0.5, of the circle of colours."""
    must(-0.5 <= hue_factor <= 0.5, f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    _check_pillow("adjust_hue", img)
    if img.mode in ("L", "1", "I", "F"):
        return img
    hue, *others = img.convert("HSV").split()
    turned = np.array(hue) + np.array(int(hue_factor * 255)).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned, "L"), *others)).convert(img.mode)


def posterize(img: Picture, bits: int) -> Picture:
    """A picture with so many bits for each colour."""
    _check_pillow("posterize", img)
    return ImageOps.posterize(img, bits)


def solarize(img: Picture, threshold: float) -> Picture:
    """A picture whose numbers from a threshold on are turned round."""
    _check_pillow("solarize", img)
    return ImageOps.solarize(img, threshold)  # type: ignore[arg-type]


def autocontrast(img: Picture) -> Picture:
    """A picture whose darkest number is 0 and whose brightest is 255."""
    _check_pillow("autocontrast", img)
    return ImageOps.autocontrast(img)


def equalize(img: Picture) -> Picture:
    """A picture whose numbers are equally frequent."""
    _check_pillow("equalize", img)
    return ImageOps.equalize(img)


def invert(img: Picture) -> Picture:
    """A picture's negative."""
    _check_pillow("invert", img)
    return ImageOps.invert(img)


__getattr__ = refuse("torchvision.transforms.functional")
