"""Pictures read by Pillow, as tensors of bytes (channels, height, width)."""

from __future__ import annotations

from enum import Enum
from io import BytesIO
from typing import Any

import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..refusals import must, refuse
from ..transforms.functional import pil_to_tensor

__all__ = ["ImageReadMode", "decode_image", "read_file", "read_image"]


class ImageReadMode(Enum):
    """What a picture is turned into when it is read."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}
_PLAIN = ("L", "LA", "RGB", "RGBA", "CMYK")
"""Pillow's modes of pictures that stay what they are."""


def read_file(path: Any) -> Any:
    """The bytes of a file; raises RuntimeError where there is none."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise RuntimeError(str(error)) from error
    if not content:
        raise RuntimeError(f"Expected a non empty file, but {path} is empty")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def decode_image(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Any:
    """The picture that the bytes in a tensor, or in the file of a name, are.

    `mode` says what it is turned into, as a member of ImageReadMode or by its name. Raises
    RuntimeError where there is no such file, or it is no picture of bytes.
    """
    content = (input if isinstance(input, torch.Tensor) else read_file(input)).numpy().tobytes()
    wanted = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        picture: Any = Image.open(BytesIO(content))
        picture.load()
    except UnidentifiedImageError as error:
        raise RuntimeError(
            "Unsupported image file: Pillow knows no picture of this kind"
        ) from error
    except OSError as error:
        raise RuntimeError(f"the picture is damaged: {error}") from error
    picture = ImageOps.exif_transpose(picture) if apply_exif_orientation else picture
    deep = f"pictures of the mode {picture.mode!r} are not read: only those of 8 bits a channel"
    must(not picture.mode.startswith(("I", "F")), deep, RuntimeError)
    if wanted is not ImageReadMode.UNCHANGED:
        picture = picture.convert(_MODES[wanted.name])
    elif picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    told = f"pictures of the mode {picture.mode!r} are not read: name one of ImageReadMode's"
    must(picture.mode in _PLAIN, told, RuntimeError)
    return pil_to_tensor(picture).contiguous()


def read_image(
    path: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Any:
    """`decode_image` of a file."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


__getattr__ = refuse("torchvision.io.image")
