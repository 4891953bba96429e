"""Each transform beside torchvision's: pixels for a seed, numbers drawn, text, errors."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from tinygrad_mnist.tools.vision import transforms
from tinygrad_mnist.tools.vision.transforms import functional, v2

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
ON_ONE_KIND = {
    "RandomRotation": torch.Tensor,
    "RandomAffine": torch.Tensor,
    "RandomErasing": Image.Image,
}
"""The kind of pictures that a transform refuses."""
V2 = "torchvision.transforms.v2"


def result(make, picture, seeds=(0, 1)):
    """What a transform makes of a picture for some seeds, and the random number after it."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        made = make(picture.copy() if isinstance(picture, Image.Image) else picture.clone())
        found.append((made, torch.rand(1).item()))
    return found


def same(ours, theirs, rtol=0.0):
    """Holds a picture or a tensor against another, to the last bit unless told otherwise."""
    if isinstance(theirs, Image.Image):
        assert (type(ours), ours.mode, ours.size) == (type(theirs), theirs.mode, theirs.size)
    else:
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol, 0)


def modes_of(value, theirs):
    """The argument as torchvision takes it."""
    known = isinstance(value, transforms.InterpolationMode)
    return theirs.transforms.InterpolationMode(value.value) if known else value


def pairs(theirs, version):
    """Our transforms and torchvision's, of v1 or v2."""
    package = theirs.transforms if version == "v1" else importlib.import_module(V2)
    for name, arguments, settings in TRANSFORMS:
        given = {key: modes_of(value, theirs) for key, value in settings.items()}
        other = getattr(package, name)(*[modes_of(each, theirs) for each in arguments], **given)
        ours = getattr(transforms if version == "v1" else v2, name)(*arguments, **settings)
        yield name, ours, other


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_transforms(version, theirs):
    tried = 0
    for name, ours, other in pairs(theirs, version):
        if name != "ConvertImageDtype" or version == "v2":
            assert repr(ours) == repr(other)
        for kind, picture in PICTURES.items():
            refused = ON_ONE_KIND.get(name)
            if refused is not None and isinstance(picture, refused):
                with pytest.raises((NotImplementedError, TypeError), match="ToTensor"):
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
                same(made, wanted, 1e-6 if (version, name) == ("v2", "Grayscale") else 0)
            tried += 1
    assert tried > 75


COLOURS = [
    ("ColorJitter", (0.4, (0.5, 1.5), 0.3, 0.2), {}),
    ("ColorJitter", (), {"hue": (-0.1, 0.1)}),
    ("TrivialAugmentWide", (), {}),
    ("TrivialAugmentWide", (5,), {"fill": 9}),
]


@pytest.mark.parametrize(("name", "arguments", "settings"), COLOURS)
def test_colours_of_pillow_s_pictures(name, arguments, settings, theirs):
    ours = getattr(transforms, name)(*arguments, **settings)
    other = getattr(theirs.transforms, name)(*arguments, **settings)
    assert repr(ours) == repr(other)
    for kind in ("gray", "colour"):
        pairs = zip(
            *[result(each, PICTURES[kind], range(40)) for each in (ours, other)], strict=True
        )
        for (made, after), (wanted, drawn) in pairs:
            assert after == drawn
            same(made, wanted)
    with pytest.raises(NotImplementedError, match="before ToTensor"):
        functional.adjust_hue(PICTURES["tensor"], 0.1)
    same(
        functional.invert(PICTURES["gray"]),
        theirs.transforms.functional.invert(PICTURES["gray"]),
    )


WRONG = [
    ("ColorJitter", (-1,)),
    ("ColorJitter", ((1, 2, 3),)),
    ("ColorJitter", (0, 0, 0, 0.7)),
    ("Resize", (None,)),
    ("Resize", ((1, 2, 3),)),
    ("CenterCrop", ((1, 2, 3),)),
    ("Pad", ("a",)),
    ("Pad", ((1, 2, 3),)),
    ("RandomRotation", (-3,)),
    ("RandomRotation", ((1, 2, 3),)),
    ("RandomAffine", (0, (0.5, 1.5))),
    ("RandomAffine", (0, None, (0.0, 1.0))),
    ("RandomAffine", (0, None, None, (1, 2, 3))),
    ("RandomAffine", (0, 0.5)),
    ("RandomErasing", (2.0,)),
    ("RandomErasing", (0.5, 0.5)),
    ("RandomErasing", (0.5, (0.1, 0.2), (0.3, 3.3), "noise")),
    ("Lambda", (3,)),
    ("Normalize", ()),
]


def test_wrong_settings(theirs):
    for name, arguments in WRONG:
        with pytest.raises((TypeError, ValueError)) as expected:
            getattr(theirs.transforms, name)(*arguments)
        with pytest.raises(expected.type):
            getattr(transforms, name)(*arguments)


def test_wrong_pictures(theirs):
    gray, colour = PICTURES["gray"], PICTURES["tensor"]
    for name, arguments in [
        ("to_tensor", (colour,)),
        ("to_tensor", (np.zeros(3),)),
        ("pil_to_tensor", (colour,)),
        ("to_pil_image", ([1],)),
        ("to_pil_image", (torch.zeros(5, 2, 2),)),
        ("to_pil_image", (torch.zeros(2, 2), "RGB")),
        ("to_pil_image", (torch.zeros(3, 2, 2, dtype=torch.int32),)),
        ("normalize", (gray, 0.5, 0.5)),
        ("normalize", (torch.zeros(2, 2), 0.5, 0.5)),
        ("normalize", (torch.zeros(1, 2, 2, dtype=torch.int32), 0.5, 0.5)),
        ("normalize", (colour, [0.5], [0.0])),
        ("resize", (gray, (1, 2, 3))),
        ("resize", (gray, 5, 2, 4)),
        ("pad", (gray, 1, (1, 2, 3))),
        ("pad", (gray, 1, 0, "wrap")),
        ("erase", (gray, 0, 0, 1, 1, 0)),
        ("rgb_to_grayscale", (gray, 2)),
        ("crop", (3, 0, 0, 1, 1)),
        ("convert_image_dtype", (gray,)),
        ("convert_image_dtype", (colour, torch.int64)),
    ]:
        with pytest.raises((TypeError, ValueError, RuntimeError)) as expected:
            getattr(theirs.transforms.functional, name)(*arguments)
        with pytest.raises(expected.type):
            getattr(functional, name)(*arguments)


def test_arrays_and_modes_of_pictures(theirs):
    """Every kind of picture goes to a tensor and back as torchvision's does."""
    other = theirs.transforms.functional
    bytes_ = np.arange(48, dtype=np.uint8)
    pictures = [Image.new(mode, (3, 2), 1) for mode in ("1", "I", "F", "LA", "P", "RGBA", "CMYK")]
    arrays = [bytes_.reshape(6, 8), bytes_.reshape(4, 4, 3), bytes_.reshape(6, 8) / 3]
    for each in [*pictures, *arrays]:
        same(functional.to_tensor(each), other.to_tensor(each))
    for each in pictures:
        same(functional.pil_to_tensor(each), other.pil_to_tensor(each))
    for shape, mode in (((2, 3, 3), "HSV"), ((2, 3, 4), "CMYK"), ((2, 3, 2), None), ((2, 3), "L")):
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        same(functional.to_pil_image(array, mode), other.to_pil_image(array, mode))


def test_samples_of_v2():
    """The picture of a sample is changed, and what goes with it is not."""
    to_float = v2.ToDtype(torch.float32, scale=True)
    change = v2.Compose([v2.ToImage(), v2.RandomHorizontalFlip(1.0), to_float])
    image, label = change(PICTURES["gray"], 3)
    assert label == 3
    same(image, functional.to_tensor(functional.hflip(PICTURES["gray"])), 1e-6)
    found = change({"image": PICTURES["gray"], "more": [torch.ones(2), "a"]})
    assert torch.equal(found["image"], image)
    assert found["more"][1] == "a"
    assert torch.equal(found["more"][0], torch.ones(2))
    assert v2.Lambda(lambda x: x + 1, int)(("a", 1, [2])) == ("a", 2, [3])
    with pytest.raises(NotImplementedError, match="several pictures"):
        change(PICTURES["gray"], PICTURES["colour"])
    with pytest.warns(UserWarning, match="is deprecated"):
        assert v2.ToTensor()(PICTURES["gray"]).dtype == torch.float32
