"""Pictures in files, as tensors."""

import numpy as np
import pytest
import torch
from PIL import Image

from tinygrad_mnist.tools.vision import io

from .conftest import PICTURES


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_read_image(ending, tmp_path):
    path = tmp_path / f"picture.{ending}"
    PICTURES["colour"].save(path)
    pixels = np.asarray(Image.open(path))
    for found in (io.read_image(str(path)), io.decode_image(io.read_file(path), mode="RGB")):
        assert found.dtype == torch.uint8
        assert found.is_contiguous()
        np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))
    assert io.read_image(path, io.ImageReadMode.GRAY).shape == (1, 28, 28)
    assert io.read_image(path, io.ImageReadMode.RGB_ALPHA)[3].min() == 255


def test_modes_and_orientation(tmp_path):
    path = tmp_path / "picture.png"
    for mode, channels in (("P", 3), ("1", 1), ("LA", 2), ("L", 1)):
        Image.new(mode, (3, 2), 1).save(path)
        assert io.read_image(path).shape == (channels, 2, 3)
    turned = Image.new("RGB", (3, 2)).getexif()
    turned[0x0112] = 6
    Image.new("RGB", (3, 2)).save(path, exif=turned)
    assert io.read_image(path, apply_exif_orientation=True).shape == (3, 3, 2)


def test_what_is_no_picture(tmp_path):
    with pytest.raises(RuntimeError, match="No such file"):
        io.read_image(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(RuntimeError, match="knows no picture of this kind"):
        io.read_image(tmp_path / "text.png")
    Image.new("I;16", (2, 2)).save(tmp_path / "deep.png")
    for mode in ("UNCHANGED", "RGB"):
        with pytest.raises(RuntimeError, match="'I;16' are not read"):
            io.read_image(tmp_path / "deep.png", mode)
    (tmp_path / "empty.png").touch()
    with pytest.raises(RuntimeError, match="Expected a non empty file"):
        io.read_image(tmp_path / "empty.png")
    PICTURES["colour"].save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    with pytest.raises(RuntimeError, match="the picture is damaged"):
        io.read_image(tmp_path / "cut.png")
    with pytest.raises(NotImplementedError, match=r"torchvision\.io\.read_video"):
        io.read_video  # noqa: B018
