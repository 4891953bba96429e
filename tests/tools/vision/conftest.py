"""torchvision itself, and pictures to try both on."""

import importlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image

OPERATORS = (
    "nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align "
    "_ps_roi_align_backward ps_roi_pool _ps_roi_pool_backward deform_conv2d _deform_conv2d_backward"
)


@pytest.fixture(scope="session")
def theirs():
    """torchvision, whose compiled operators may not fit this build of PyTorch.

    None is needed for data sets and transforms; but it declares gradients for them on import, so
    they are declared here where they are missing.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS.split():
        library.define(f"{name}(Tensor input) -> Tensor")
    package = importlib.import_module("torchvision")
    package.operators = library  # which lives as long as the package
    return package


def _pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


PICTURES = {
    "gray": Image.fromarray(_pixels(17, 23)),
    "colour": Image.fromarray(_pixels(28, 28, 3)),
    "tensor of bytes": torch.from_numpy(_pixels(3, 28, 21)),
    "tensor": torch.from_numpy(_pixels(3, 28, 21)) / 255,
}
