"""Several pictures as one, and a tensor as a picture in a file."""

from __future__ import annotations

import math
from typing import Any

import torch
from PIL import Image

from .refusals import must, refuse

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Any, nrow: int = 8, padding: int = 2, normalize: bool = False,
    value_range: tuple[float, float] | None = None, scale_each: bool = False,
    pad_value: float = 0.0,
) -> Any:  # fmt: skip
    """A batch (n, channels, height, width), or a list of pictures, as one, in rows of `nrow`.

    With `normalize` the numbers from `value_range` (their own, if None; each picture's own with
    `scale_each`) become 0 to 1. Between the pictures are `padding` pixels of `pad_value`.

    >>> import torch
    >>> from tinygrad_mnist.tools.vision.utils import make_grid
    >>> make_grid(torch.ones(2, 1, 1, 1), padding=1)[0]
    tensor([[0., 0., 0., 0., 0.],
            [0., 1., 0., 1., 0.],
            [0., 0., 0., 0., 0.]])
    """
    with torch.no_grad():
        images = _batch(tensor)
        if normalize:
            images = images.clone()
            for each in images if scale_each else [images]:
                _stretch(each, value_range)
        if len(images) == 1:
            return images.squeeze(0)
        columns = min(nrow, len(images))
        rows = math.ceil(len(images) / columns)
        height, width = images.shape[2] + padding, images.shape[3] + padding
        size = (images.shape[1], height * rows + padding, width * columns + padding)
        grid = images.new_full(size, pad_value)
        for i, image in enumerate(images):
            top, left = i // columns * height + padding, i % columns * width + padding
            grid[:, top : top + height - padding, left : left + width - padding] = image
        return grid


def _batch(tensor: Any) -> Any:
    """The pictures (n, channels, height, width), gray ones in three channels."""
    if isinstance(tensor, list) and all(torch.is_tensor(each) for each in tensor):
        tensor = torch.stack(tensor, dim=0)
    kind = set(map(type, tensor)) if isinstance(tensor, list) else type(tensor)
    must(torch.is_tensor(tensor), f"tensor or list of tensors expected, got {kind}", TypeError)
    images = tensor.reshape(*[1] * (4 - tensor.dim()), *tensor.shape)
    return torch.cat((images, images, images), 1) if images.size(1) == 1 else images


def _stretch(image: Any, value_range: tuple[float, float] | None) -> None:
    """The numbers of a range, in place, as 0 to 1."""
    told = f"value_range has to be a tuple (min, max), but it is {value_range!r}"
    must(value_range is None or isinstance(value_range, tuple), told, TypeError)
    low, high = value_range or (float(image.min()), float(image.max()))
    image.clamp_(min=low, max=high).sub_(low).div_(max(high - low, 1e-5))


def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """The pictures of a tensor as one, with `make_grid`'s arguments, in the file `fp`."""
    with torch.no_grad():
        grid = make_grid(tensor, **kwargs).mul(255).add_(0.5).clamp_(0, 255)
        array = grid.permute(1, 2, 0).to("cpu", torch.uint8).numpy()
    Image.fromarray(array).save(fp, format=format)


__getattr__ = refuse("torchvision.utils")
