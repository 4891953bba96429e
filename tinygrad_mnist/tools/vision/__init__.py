"""`torchvision`, as far as scripts need it: data sets, transforms, models, grids of pictures.

Where the real one is missing or cannot be imported, `import torchvision` in a script reads this
folder, under that name. It knows `import torch` alone, so it serves either engine; pictures are
Pillow's, and each random transform draws torchvision's numbers.
"""

from __future__ import annotations

try:
    import PIL  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        "torchvision's data sets and transforms need Pillow: pip install pillow"
    ) from error

from . import datasets, io, models, ops, transforms, utils
from .refusals import refuse

__all__ = ["REFUSED", "datasets", "io", "models", "ops", "transforms", "utils"]

__version__ = "0.28.0+tinygrad_mnist"

REFUSED = {
    "tv_tensors": "transforms.v2 takes pictures as plain tensors",
}
"""Parts of torchvision that are not carried, and what does instead."""


def get_image_backend() -> str:
    """What loads pictures."""
    return "PIL"


__getattr__ = refuse("torchvision", REFUSED)
