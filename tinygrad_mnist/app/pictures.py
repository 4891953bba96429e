"""Pictures that a person has, made as MNIST's are: light ink on black, 28 × 28, centred by mass.

MNIST's digits fit a box of 20 × 20 pixels, in an image of 28 × 28 whose centre is the digit's
centre of mass. Source: http://yann.lecun.com/exdb/mnist, "the original black and white images".
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist.engine.wording import cut
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.files import ReadError

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

SIDE = 28
BOX = 20
_LARGE = 800
"""Pixels a side from which on a picture is made smaller first."""
_MOST_BYTES, _MOST_PIXELS = 2**28, 50_000_000
"""Of a picture: in its file, and to be decoded, which takes up to eight bytes a pixel."""
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM", "TIFF", "JPEG2000")
"""What pictures of digits come in; Pillow would start another program for some of the others."""
_FAINT = 16
"""A picture whose shades differ by less, of 255, shows nothing."""
_INKED = 0.1
"""How much ink, of the most, makes a pixel part of the digit."""
_ROUNDING = 1e-9
"""Of a pixel: what rounding leaves of a symmetric digit's centre does not move it."""
_TWO_SHADES = 0.03
"""The share of visible pixels of another shade that makes a picture more than its ink."""


def read(path: Path) -> Array:
    """The digit in a picture as MNIST would have it: float32 (784,), pixel / 256.

    A picture of 28 × 28 pixels is taken as it is, except that dark ink on light ground is inverted.

    Raises ReadError if the file is no picture, or shows nothing.
    """
    digit = digit_in(_flattened(*_grey_and_alpha(path)))
    if digit is None:
        raise ReadError(f"{path}: shows no digit: it has a single shade.")
    return digit


def digit_in(grey: Array) -> Array | None:
    """The digit in shades from 0 to 255, as `read` gives it; None where they show nothing.

    The page to draw on takes the same steps: `web/src/training/picture.ts`.
    """
    light = _light_on_dark(grey)
    ink = (light - np.median(_frame(light))).clip(0)
    if ink.max() < _FAINT:
        return None
    digit = light if light.shape == (SIDE, SIDE) else _centred(_boxed(_without_ground(ink)))
    return np.rint(digit).astype(np.float32).reshape(-1) / 256


def _grey_and_alpha(path: Path) -> tuple[Array, Array]:
    """How light and how opaque each pixel is, from 0 to 255."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), files.opened(path, _MOST_BYTES) as file:
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as opened:
                opened.draft(None, (_LARGE, _LARGE))  # decodes a photograph smaller
                if opened.width * opened.height > _MOST_PIXELS:
                    raise Image.DecompressionBombError
                picture = _of_bytes(opened)
            ImageOps.exif_transpose(picture, in_place=True)
        picture = picture.convert("LA")
        picture.thumbnail((_LARGE, _LARGE))
    except OSError as error:
        reason = error.strerror or "it is no picture, or is damaged"
        raise ReadError(f"{path}: cannot be read ({reason}).") from error
    except Image.DecompressionBombError as error:
        raise ReadError(f"{path}: is too large; make the picture smaller.") from error
    except Exception as error:  # a damaged picture raises anything
        raise ReadError(f"{path}: cannot be read (it is damaged: {cut(error)}).") from error
    grey, alpha = np.moveaxis(np.asarray(picture, np.float64), 2, 0)
    return grey, alpha


def _of_bytes(picture: Any) -> Any:
    """The picture, its shades brought to 0 … 255 where they are finer."""
    from PIL import Image

    if picture.mode != "F" and not picture.mode.startswith("I"):
        picture.load()
        return picture
    shades = np.asarray(picture)
    least, most = float(shades.min()), float(shades.max())
    scaled = np.empty(shades.shape, np.uint8)
    for row, fine in zip(scaled, shades, strict=True):  # one at a time, as they become large
        row[:] = (fine.astype(np.float64) - least) * (255 / (most - least or 1))
    return Image.fromarray(scaled)


def _light_on_dark(image: Array) -> Array:
    """The image, inverted if what is on its ground is darker than that."""
    ground = np.median(_frame(image))
    darkest, lightest = np.percentile(image, (0.1, 99.9))
    return 255 - image if ground - darkest > lightest - ground else image


def _flattened(grey: Array, alpha: Array) -> Array:
    """On a ground: that which is visible around the ink, or one that the ink stands out from."""
    alpha = alpha / 255
    visible = grey[alpha > 0.5]
    if alpha.min() == 1 or not visible.size:
        return grey
    usual: float = np.median(visible).item()
    if np.mean(np.abs(visible - usual) > 64) > _TWO_SHADES:
        ground = usual
    else:
        ground = 0 if usual > 127 else 255
    return grey * alpha + ground * (1 - alpha)


def _frame(image: Array) -> Array:
    """The outermost pixels."""
    return np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))


def _without_ground(ink: Array) -> Array:
    """The ink from 0 to 1, without what the ground has of it too: paper is never quite even."""
    share = ink / ink.max()
    floor = min(0.5, 0.05 + 1.5 * np.percentile(_frame(share), 95))
    clean: Array = ((share - floor) / (1 - floor)).clip(0)
    return clean


def _boxed(ink: Array) -> Array:
    """The digit alone, its longer side 20 pixels, from 0 to 255."""
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > _INKED).any(axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = digit.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(digit.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(small, np.float64).clip(0)
    scaled: Array = pixels * (255 / pixels.max())
    return scaled


def _centred(digit: Array) -> Array:
    """The digit in 28 × 28 pixels, its centre of mass in the middle as far as it fits.

    Whole pixels it is moved by: MNIST's centres lie less than one pixel below and right of it.
    """
    image = np.zeros((SIDE, SIDE))
    corner = []
    for axis, length in enumerate(digit.shape):
        mass = digit.sum(1 - axis)
        centre = (mass * (np.arange(length) + 0.5)).sum() / mass.sum()
        moved = np.ceil(SIDE / 2 - centre - _ROUNDING)
        corner.append(int(np.clip(moved, 0, SIDE - length)))
    top, left = corner
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image
