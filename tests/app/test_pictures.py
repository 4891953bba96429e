"""Pictures made as MNIST's are, whatever a person brings."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from tinygrad_mnist.app import train
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.pictures import BOX, SIDE, read
from tinygrad_mnist.serialization.files import ReadError


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


@pytest.fixture(scope="module")
def digit():
    """A digit's pixels, as the data sets have them."""
    images, _ = synthetic.draw(1, 3)
    return images[0] * (images[0] > 40)


def seven(ink=0, ground=255, mode="L", size=(300, 400), at=(60, 80)):
    """A seven drawn with a pen: a bar of 120, and a stroke of 200 down to the left."""
    picture = Image.new(mode, size, ground)
    draw = ImageDraw.Draw(picture)
    x, y = at
    draw.line([(x, y), (x + 120, y), (x + 30, y + 200)], fill=ink, width=18, joint="curve")
    return picture


def pixels(picture, path, **options):
    image = read(saved(picture, path, **options))
    assert image.shape == (784,)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 255 / 256
    return image.reshape(SIDE, SIDE)


def check_shape(image):
    """Light on black, in a box of 20, its mass in the middle: what MNIST promises."""
    assert image.max() > 0.9
    rows, columns = (np.flatnonzero((image > 0.1).any(axis)) for axis in (1, 0))
    box = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert BOX - 1 <= max(box) <= BOX
    for axis in (0, 1):
        mass = image.sum(1 - axis)
        centre = (mass * (np.arange(SIDE) + 0.5)).sum() / mass.sum()
        assert -0.1 <= centre - SIDE / 2 <= 1.1
    assert np.median(image) == 0


def test_a_digit_of_the_data_set_stays_itself(digit, tmp_path):
    expected = digit.astype(np.float32) / 256
    plain = Image.fromarray(digit)
    for name, picture in {
        "light.png": plain,
        "dark.png": ImageOps.invert(plain),
        "colour.png": plain.convert("RGB"),
        "shades.gif": plain,
        "bits.tiff": plain,
    }.items():
        np.testing.assert_array_equal(pixels(picture, tmp_path / name), expected, name)


KINDS = {
    "dark on light": lambda: seven(),
    "light on dark": lambda: seven(255, 0),
    "grey on grey": lambda: seven(90, 140),
    "light grey on grey": lambda: seven(170, 120),
    "colours": lambda: seven((10, 20, 160), (250, 240, 200), "RGB"),
    "palette": lambda: seven().convert("P"),
    "one bit": lambda: seven().convert("1"),
    "CMYK": lambda: seven().convert("RGB").convert("CMYK"),
    "dark ink on nothing": lambda: seven((0, 0, 0, 255), (0, 0, 0, 0), "RGBA"),
    "light ink on nothing": lambda: seven((255, 255, 255, 255), (255, 255, 255, 0), "RGBA"),
    "a sticker": lambda: ImageOps.expand(
        seven((0, 0, 0, 255), (255, 255, 255, 255), "RGBA"), 40, (0, 0, 0, 0)
    ),
    "small": lambda: seven().resize((30, 40), Image.Resampling.LANCZOS),
    "large": lambda: seven().resize((1500, 2000)),
    "a corner": lambda: seven(at=(5, 12)),
    "paper": lambda: _photographed(seven(60, 200)),
}


def _photographed(picture):
    """Light that falls from one side, and noise."""
    values = np.asarray(picture.filter(ImageFilter.GaussianBlur(2)), np.float64)
    values = values * np.linspace(0.8, 1.1, values.shape[1])
    values += np.random.default_rng(0).normal(0, 4, values.shape)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_is_cut_out_and_centred(kind, tmp_path):
    image = pixels(KINDS[kind](), tmp_path / "picture.tiff")
    check_shape(image)
    expected = pixels(seven(), tmp_path / "plain.png")
    assert np.abs(image - expected).mean() < 0.03


def test_digits_of_mnist_come_back_from_drawings_of_them(mnist_directory, tmp_path):
    """Ten times larger, dark on light and off centre, MNIST's own digits are made as MNIST's."""
    x, _ = train.load(str(mnist_directory)).test
    digits = x[:40].numpy().reshape(-1, SIDE, SIDE)
    differences = []
    for digit in digits:
        large = Image.fromarray((digit * 256).astype(np.uint8)).resize((280, 280))
        sheet = Image.new("L", (500, 600), 255)
        sheet.paste(ImageOps.invert(large), (190, 40))
        image = pixels(sheet, tmp_path / "drawing.png")
        differences.append(np.abs(image - digit).mean())
    assert np.mean(differences) < 0.035
    assert np.mean(np.abs(np.roll(digits, 1, 1) - digits)) > 0.05  # a pixel off would show


def test_finer_shades(tmp_path):
    fine = Image.fromarray(np.asarray(seven(), np.uint16) * 100 + 7000)
    expected = pixels(seven(), tmp_path / "plain.png")
    np.testing.assert_allclose(pixels(fine, tmp_path / "fine.png"), expected, atol=0.02)
    floats = Image.fromarray(np.asarray(seven(), np.float32) / 255)
    np.testing.assert_allclose(pixels(floats, tmp_path / "f.tiff"), expected, atol=0.02)


def test_a_photograph_is_turned_upright(tmp_path):
    sideways = seven().rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera says: turn me by 90 degrees to the right
    turned = pixels(sideways, tmp_path / "photo.jpg", exif=exif, quality=95)
    assert np.abs(turned - pixels(seven(), tmp_path / "plain.png")).mean() < 0.02


def test_wide_digits_keep_their_shape(tmp_path):
    picture = Image.new("L", (400, 200), 255)
    ImageDraw.Draw(picture).rectangle((50, 90, 350, 120), fill=0)
    image = pixels(picture, tmp_path / "wide.png")
    assert (image > 0.5).any(0).sum() == 20
    assert (image > 0.5).any(1).sum() == 2


def png(*drawn):
    file = io.BytesIO()
    (Image.new(*drawn) if drawn else seven()).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"", r"cannot be read \(it is no picture, or is damaged\)"),
        (lambda: b"hello world", r"cannot be read \(it is no picture, or is damaged\)"),
        (lambda: png()[:200], "cannot be read"),
        (lambda: png()[:-60], "cannot be read"),
        (lambda: png("L", (50, 50), 200), "shows no digit: it has a single shade"),
        (lambda: png("RGBA", (50, 50), (0, 0, 0, 0)), "shows no digit"),
        (lambda: png("1", (16_000, 16_000)), "is too large; make the picture smaller"),
    ],
    ids=["empty", "text", "cut off", "cut off late", "blank", "transparent", "large"],
)
def test_what_is_no_picture_of_a_digit(content, reason, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(content())
    with pytest.raises(ReadError, match=rf"picture\.png: {reason}"):
        read(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ReadError, match=r"cannot be read \(No such file or directory\)\."):
        read(tmp_path / "none.png")
    with pytest.raises(ReadError, match=r"cannot be read \(Is a directory\)\."):
        read(tmp_path)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_pictures_are_told_or_read(seed, tmp_path):
    random = np.random.default_rng(seed)
    file = io.BytesIO()
    seven().save(file, ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")[seed % 6])
    content = bytearray(file.getvalue())
    for position in random.integers(0, len(content), 1 + seed % 5):
        content[position] = random.integers(256)
    path = tmp_path / "picture"
    path.write_bytes(content)
    try:
        image = read(path)
    except ReadError:
        return
    assert np.isfinite(image).all()
