"""Which data one gets, from where, and what one is told."""

import gzip
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.app.datasets.http_server import Server, stall
from tests.app.datasets.tiny import TinyMNIST, tiny_pairs
from tinygrad_mnist.app.datasets import (
    DataError,
    Digits,
    SyntheticDataWarning,
    download,
    mnist,
    reading,
    synthetic,
)
from tinygrad_mnist.app.datasets.download import Mirror
from tinygrad_mnist.tools import mnist_files

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, an empty cache, and one address that nobody answers at."""
    monkeypatch.setattr("tinygrad_mnist.app.datasets.download._FIRST_PAUSE", 0.01)
    monkeypatch.setattr(download, "MIRRORS", (Mirror("http://127.0.0.1:9/", ("mnist.pkl.gz",)),))


def equal(left: Digits, right: Digits) -> bool:
    pairs = zip(left, right, strict=True)
    return all(np.array_equal(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


def pickled(digits: Digits) -> bytes:
    return gzip.compress(pickle.dumps(tuple(digits), protocol=4))


def test_the_idx_files_in_a_named_folder(
    cache: Path, tiny_mnist: TinyMNIST, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_mnist.write(tmp_path)
    monkeypatch.setenv(mnist_files.VARIABLE, str(tmp_path))
    digits = mnist.load_arrays()
    assert (digits.source, digits.description) == ("mnist", f"MNIST from {tmp_path}")
    assert [len(y) for _, y in digits] == [50, 10, 10]
    images, labels = synthetic.draw(60, seed=60)
    x, y = (np.concatenate(parts) for parts in zip(digits.train, digits.valid, strict=True))
    np.testing.assert_array_equal(x, images.reshape(60, 784).astype(np.float32) / 256)
    np.testing.assert_array_equal(y, labels)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert not cache.exists()


@pytest.mark.parametrize("unpacked", [False, True])
def test_the_pickle_gives_the_same(
    cache: Path, tiny_mnist: TinyMNIST, tmp_path: Path, unpacked: bool
) -> None:
    tiny_mnist.write(tmp_path / "idx")
    expected = mnist.load_arrays("mnist", folder=tmp_path / "idx")
    (tmp_path / "pickle").mkdir()
    raw = pickled(expected)
    name, content = ("mnist.pkl", gzip.decompress(raw)) if unpacked else ("mnist.pkl.gz", raw)
    (tmp_path / "pickle" / name).write_bytes(content)
    found = mnist.load_arrays("mnist", folder=tmp_path / "pickle")
    assert equal(found, expected)
    assert found.description == f"MNIST from {tmp_path / 'pickle'}"


@pytest.mark.parametrize("change", ["pixel", "between pixels", "label", "large label", "nan"])
def test_a_pickle_with_other_digits_is_refused(
    cache: Path, tiny_mnist: TinyMNIST, tmp_path: Path, change: str
) -> None:
    tiny_mnist.write(tmp_path)
    digits = mnist.load_arrays("mnist", folder=tmp_path)
    x, y = digits.test
    match change:
        case "pixel":
            x[3, 300] = (x[3, 300] + 0.5) % 1
        case "between pixels":
            x[3, 300] += 1 / 512
        case "nan":
            x[3, 300] = np.nan
        case "label":
            y[0] = (y[0] + 1) % 10
        case "large label":
            y[0] += 256
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes(pickled(digits))
    with pytest.raises(DataError, match=rf"^{path}: .*t10k.*; replace"):
        mnist.load_pickle(path)
    assert mnist.load_pickle(path, verify=False).source == "unverified"


@pytest.mark.parametrize("data", ["auto", "mnist"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file"),
        (b"<html>Please log in</html>", "is not an IDX file"),
        (gzip.compress(b"short"), "is not an IDX file"),
        (b"cut off", "is cut off"),
        (b"other digits", "is not MNIST's train-images-idx3-ubyte"),
        (gzip.compress(bytes(2**20)), "holds more than"),
    ],
    ids=["empty", "a page", "short", "cut off", "other digits", "a bomb"],
)
def test_a_broken_file_that_was_pointed_at_is_an_error(
    offline: None,
    tiny_mnist: TinyMNIST,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: mnist.Data,
    content: bytes,
    message: str,
) -> None:
    whole = tiny_mnist.files[TRAIN_IMAGES]
    if content == b"cut off":
        content = whole[:-100]
    elif content == b"other digits":
        raw = bytearray(gzip.decompress(whole))
        raw[5000] ^= 1
        content = gzip.compress(raw)
    monkeypatch.setattr(reading, "IDX_LIMIT", 100_000)
    tiny_mnist.files[TRAIN_IMAGES] = content
    tiny_mnist.write(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        mnist.load_arrays(data, folder=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / TRAIN_IMAGES}: ")


def test_an_incomplete_folder_is_an_error(
    offline: None, tiny_mnist: TinyMNIST, tmp_path: Path
) -> None:
    del tiny_mnist.files[TRAIN_IMAGES]
    tiny_mnist.write(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}: lacks train-images-idx3-ubyte;"):
        mnist.load_arrays(folder=tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_a_named_folder_without_mnist(
    offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    named = tmp_path / "named"
    if exists:
        named.mkdir()
    monkeypatch.setenv(mnist_files.VARIABLE, str(named))
    message = f"{named}: holds neither mnist.pkl.gz nor MNIST's four IDX files"
    with pytest.raises(DataError, match=message):
        mnist.load_arrays("mnist")
    with pytest.warns(SyntheticDataWarning, match=message):
        assert mnist.load_arrays("auto").source == "synthetic"


def test_auto_warns_where_the_caller_stands_and_draws_digits(offline: None) -> None:
    with pytest.warns(SyntheticDataWarning) as caught:
        digits = mnist.load_arrays(seed=3)
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    assert message.startswith("\n*** NOT MNIST: these are synthetic digits (seed 3). ***\n")
    assert "http://127.0.0.1:9/mnist.pkl.gz: cannot be reached" in message
    assert (digits.source, digits.description) == ("synthetic", "synthetic digits (seed 3)")
    assert equal(digits, synthetic.generate(3))


def test_mnist_without_a_network_is_an_error(offline: None) -> None:
    with pytest.raises(DataError, match=r"(?s)could not be downloaded.*set TINYGRAD_MNIST_DATA"):
        mnist.load_arrays("mnist")


def test_synthetic_looks_nowhere(
    offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(mnist_files.VARIABLE, str(tmp_path / "nowhere"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(mnist.load_arrays("synthetic", seed=1), synthetic.generate(1))


def test_another_kind_of_data_is_an_error() -> None:
    with pytest.raises(ValueError, match="data is 'cifar'; expected one of auto, mnist, synth"):
        mnist.load_arrays("cifar")  # type: ignore[arg-type]


@pytest.fixture
def online(
    cache: Path, server: Server, tiny_mnist: TinyMNIST, monkeypatch: pytest.MonkeyPatch
) -> Server:
    """A mirror with the tiny MNIST, and an empty cache."""
    mirror = Mirror(server.url("/"), tuple(tiny_mnist.files))
    monkeypatch.setattr(download, "MIRRORS", (mirror,))
    server.files = {f"/{name}": content for name, content in tiny_mnist.files.items()}
    return server


@pytest.mark.parametrize("data", ["auto", "mnist"])
def test_what_was_downloaded_is_kept(online: Server, cache: Path, data: mnist.Data) -> None:
    digits = mnist.load_arrays(data)
    assert (digits.source, digits.description) == ("mnist", f"MNIST from {cache}")
    assert len(online.asked) == 4
    assert equal(mnist.load_arrays(data), digits)
    assert len(online.asked) == 4


def test_a_damaged_download_is_replaced(online: Server, cache: Path) -> None:
    digits = mnist.load_arrays("mnist")
    (cache / TRAIN_IMAGES).write_bytes(b"damaged")
    assert equal(mnist.load_arrays("mnist"), digits)
    assert len(online.asked) == 5


def test_a_named_folder_without_mnist_sends_auto_to_the_network(
    online: Server, cache: Path, tmp_path: Path
) -> None:
    assert mnist.load_arrays(folder=tmp_path).description == f"MNIST from {cache}"


def test_auto_gives_up_in_time(
    online: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mnist.AUTO_SECONDS + download._GRACE_SECONDS < 10
    monkeypatch.setattr("tinygrad_mnist.app.datasets.download._READ_SECONDS", 20.0)
    monkeypatch.setattr(mnist, "AUTO_SECONDS", 0.1)
    online.script = [stall(0)]
    with pytest.warns(SyntheticDataWarning, match=r"not be downloaded within 0\.1 s"):
        assert mnist.load_arrays().source == "synthetic"
    assert [path for path in cache.iterdir() if path.suffix != ".part"] == []


def test_auto_with_an_unwritable_cache_warns_of_it(online: Server, cache: Path) -> None:
    cache.write_text("in the way")
    with pytest.warns(SyntheticDataWarning, match="cannot be written"):
        assert mnist.load_arrays().source == "synthetic"
    with pytest.raises(DataError, match="cannot be written"):
        mnist.load_arrays("mnist")


def test_a_missing_pickle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mnist.pkl.gz"
    with pytest.raises(DataError, match=rf"^{path}: cannot be read \(No such file"):
        mnist.load_pickle(path)


def test_digits_unpack_and_map_and_say_what_they_are() -> None:
    digits = Digits(*tiny_pairs(), source="mnist", description="MNIST from here")
    (x_train, _), (_, y_valid), (x_test, _) = digits.map(np.shape)
    assert (x_train, y_valid, x_test) == ((4, 784), (3,), (2, 784))
    assert repr(digits) == "Digits(source='mnist', description='MNIST from here')"


def test_load_gives_tensors(cache: Path) -> None:
    torch = pytest.importorskip("tinygrad_mnist")
    digits = mnist.load("synthetic", seed=0)
    (x_train, y_train), _, _ = digits
    assert isinstance(x_train, torch.Tensor)
    assert (x_train.dtype, y_train.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(x_train.numpy(), synthetic.generate(0).train[0])
    assert digits.source == "synthetic"


@pytest.fixture(scope="module")
def real(mnist_directory: Path) -> Digits:
    """The real thing, from its pickle."""
    return mnist.load_pickle(mnist_directory / "mnist.pkl.gz")


def test_the_real_pickle_is_the_tutorials(real: Digits) -> None:
    assert [x.shape for x, _ in real] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    assert [y.shape for _, y in real] == [(50_000,), (10_000,), (10_000,)]
    assert real.train[1][:5].tolist() == [5, 0, 4, 1, 9]
    assert (real.train[0].min(), real.train[0].max()) == (0, 255 / 256)


def test_the_real_idx_files_give_the_same(real: Digits, mnist_directory: Path) -> None:
    if reading.candidates(mnist_directory)[0][0].name.startswith("mnist.pkl"):
        pytest.skip(f"no IDX files in {mnist_directory}")
    assert equal(mnist.load_arrays("mnist", folder=mnist_directory), real)


def test_a_small_pickle_in_the_published_bytes(mnist_directory: Path) -> None:
    path = mnist_directory / "mnist_small_py2.pkl.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    digits = mnist.load_pickle(path, verify=False)
    assert [x.shape for x, _ in digits] == [(500, 784), (100, 784), (100, 784)]
    assert (digits.source, digits.description) == (
        "unverified",
        f"unverified digits from {path}",
    )
    with pytest.raises(DataError, match="is not MNIST's"):
        mnist.load_pickle(path)
