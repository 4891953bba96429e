"""Each transform beside torchvision's: pixels for a seed, numbers drawn, text, errors."""

import numpy as np
import pytest
import torch
from PIL import Image

from tinygrad_mnist.tools.vision import transforms

from .conftest import PICTURES

NEAREST, BICUBIC = (transforms.InterpolationMode(name) for name in ("nearest", "bicubic"))
TRANSFORMS = [
    ("Resize", (14,), {}),
    ("Resize", ((31, 12),), {}),
    ("Resize", ([20],), {"max_size": 21, "interpolation": NEAREST}),
    ("Resize", (9, BICUBIC), {}),
    ("CenterCrop", (11,), {}),
    ("CenterCrop", ((40, 20),), {}),
    ("Pad", (2,), {"fill": 7}),
    ("Pad", ((1, 4),), {"padding_mode": "reflect"}),
    ("Pad", ((1, 2, 3, 4), 0, "symmetric"), {}),
    ("Pad", ([3], 0, "edge"), {}),
    ("RandomHorizontalFlip", (), {}),
    ("RandomVerticalFlip", (0.7,), {}),
    ("RandomCrop", (12,), {}),
    ("RandomCrop", ((17, 21),), {"padding": 3}),
    ("RandomCrop", (30,), {"pad_if_needed": True, "fill": 3}),
    ("RandomCrop", (32, (2, 4), True, 0, "reflect"), {}),
    ("RandomResizedCrop", (13,), {}),
    ("RandomResizedCrop", ((9, 16), (0.5, 0.9), (4.0, 5.0), NEAREST), {}),
    ("RandomRotation", (30,), {}),
    ("RandomRotation", ((-90, 90), 2, True), {"fill": 9}),
    ("RandomRotation", (45,), {"center": (3, 4)}),
    ("RandomAffine", (0, (0.2, 0.3)), {}),
    ("RandomAffine", (20, (0.1, 0.1), (0.8, 1.2), 10), {"fill": 100}),
    ("RandomAffine", ((5, 50), None, None, (1, 2, 3, 4), 2), {"center": (0, 0)}),
    ("Grayscale", (), {}),
    ("Grayscale", (3,), {}),
    ("ToTensor", (), {}),
    ("PILToTensor", (), {}),
    ("ToPILImage", (), {}),
    ("ConvertImageDtype", (torch.float32,), {}),
    ("ConvertImageDtype", (torch.uint8,), {}),
    ("ConvertImageDtype", (torch.int32,), {}),
    ("Normalize", ((0.1, 0.2, 0.3), (0.5, 0.25, 1.0)), {}),
    ("Normalize", ([0.5], [0.5]), {}),
    ("RandomErasing", (1.0,), {}),
    ("RandomErasing", (), {"value": "random"}),
    ("RandomErasing", (0.9, (0.1, 0.2), (0.5, 2.0), (1, 2, 3)), {}),
    ("RandomErasing", (1.0, (1.0, 1.0), (9.0, 9.1)), {}),
]
TURNS_PILLOW_ALONE = ("RandomRotation", "RandomAffine")


def result(make, picture, seeds=(0, 1, 2)):
    """What a transform makes of a picture for some seeds, and the random number after it."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        made = make(picture.copy() if isinstance(picture, Image.Image) else picture.clone())
        found.append((made, torch.rand(1).item()))
    return found


def same(ours, theirs):
    """Holds a picture or a tensor against another, to the last bit."""
    if isinstance(theirs, Image.Image):
        assert (type(ours), ours.mode, ours.size) == (type(theirs), theirs.mode, theirs.size)
    else:
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def modes_of(value, theirs):
    """The argument as torchvision takes it."""
    known = isinstance(value, transforms.InterpolationMode)
    return theirs.transforms.InterpolationMode(value.value) if known else value


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transforms(theirs):
    tried = 0
    for name, arguments, settings in TRANSFORMS:
        ours = getattr(transforms, name)(*arguments, **settings)
        given = {key: modes_of(value, theirs) for key, value in settings.items()}
        other = getattr(theirs.transforms, name)(*[modes_of(a, theirs) for a in arguments], **given)
        if name != "ConvertImageDtype":
            assert repr(ours) == repr(other)
        for kind, picture in PICTURES.items():
            if name in TURNS_PILLOW_ALONE and isinstance(picture, torch.Tensor):
                with pytest.raises(NotImplementedError, match="before ToTensor"):
                    ours(picture)
                continue
            try:
                expected = result(other, picture)
            except Exception as error:
                with pytest.raises(type(error)):
                    ours(picture)
                continue
            for (made, after), (wanted, drawn) in zip(result(ours, picture), expected, strict=True):
                assert after == drawn, (ours, kind)
                same(made, wanted)
            tried += 1
    assert tried > 75
