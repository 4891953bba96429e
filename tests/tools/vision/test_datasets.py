"""The data sets beside torchvision's, and files that are not what they say."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import pickletools
import struct
import tarfile
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from tinygrad_mnist.tools import mnist_files
from tinygrad_mnist.tools.vision import datasets, transforms, utils
from tinygrad_mnist.tools.vision.datasets import cifar
from tinygrad_mnist.tools.vision.datasets.utils import download_url, extract_archive


def idx(array):
    return struct.pack(f">2x2B{array.ndim}I", 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)
FILES = {
    f"{split}-{name}-ubyte": idx(array)
    for split in ("train", "t10k")
    for name, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
}


def fill(folder, files=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def same_sets(ours, theirs):
    """Holds a data set against torchvision's: text, length, names, each sample."""
    assert repr(ours) == repr(theirs)
    assert len(ours) == len(theirs)
    assert list(getattr(ours, "classes", [])) == list(getattr(theirs, "classes", []))
    assert getattr(ours, "class_to_idx", {}) == getattr(theirs, "class_to_idx", {})
    for i in range(len(theirs)):
        (made, target), (wanted, expected) = ours[i], theirs[i]
        assert (type(target), target) == (type(expected), expected)
        np.testing.assert_array_equal(np.asarray(made), np.asarray(wanted))


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_the_family_of_mnist(name, theirs, tmp_path):
    double = transforms.Lambda(lambda target: target * 2)
    settings = {"transform": transforms.ToTensor(), "target_transform": double}
    for package in (datasets, theirs.datasets):
        with pytest.raises(RuntimeError, match=r"Dataset not found\. You can use download=True"):
            getattr(package, name)(tmp_path)
    fill(tmp_path / name / "raw")
    for train in (True, False):
        found = (getattr(each, name) for each in (datasets, theirs.datasets))
        same_sets(*[each(str(tmp_path), train, download=True, **settings) for each in found])


HOSTILE = {
    "empty": b"",
    "another file": b"<html>",
    "a cut header": FILES["train-images-idx3-ubyte"][:9],
    "too short": FILES["train-images-idx3-ubyte"][:-1],
    "too long": FILES["train-images-idx3-ubyte"] + b"0",
    "a lie of 4 billion pictures": struct.pack(">2x2B3I", 8, 3, 2**32 - 1, 28, 28) + b"0" * 100,
    "a lie that overflows": struct.pack(">2x2B3I", 8, 3, 2**31, 2**31, 4) + b"0" * 100,
    "other numbers": struct.pack(">2x2B3I", 13, 3, 1, 5, 5) + b"0" * 100,
    "one picture more than labels": idx(np.zeros((6, 28, 28), np.uint8)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_idx_files(kind, tmp_path):
    fill(tmp_path / "MNIST" / "raw", {**FILES, "train-images-idx3-ubyte": HOSTILE[kind]})
    with pytest.raises(RuntimeError, match="raw"):
        datasets.MNIST(tmp_path)


def test_mnist_is_taken_from_this_machine(monkeypatch, tmp_path):
    for name, content in FILES.items():
        monkeypatch.setitem(mnist_files.SHA256, name, hashlib.sha256(content).hexdigest())
    fill(tmp_path / "here", {f"{name}.gz": gzip.compress(each) for name, each in FILES.items()})
    monkeypatch.setenv(mnist_files.VARIABLE, str(tmp_path / "here"))
    found = datasets.MNIST(tmp_path / "there", download=True)
    assert np.array_equal(found.data.numpy(), IMAGES)
    raw = tmp_path / "there" / "MNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == FILES


@pytest.fixture
def server(tmp_path):
    """The address of a server on this machine, and the folder it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}/", folder
        found.shutdown()


def test_downloads_are_checked(server, tmp_path, monkeypatch):
    address, folder = server
    packed = {f"{name}.gz": gzip.compress(content) for name, content in FILES.items()}
    fill(folder, packed)
    sums = [hashlib.md5(packed[f"{name}.gz"]).hexdigest() for name in FILES]

    class Mine(datasets.MNIST):
        mirrors = ("http://127.0.0.1:9/", address)
        md5 = sums

    assert len(Mine(tmp_path, train=False, download=True)) == 5
    monkeypatch.setattr(Mine, "md5", sums[::-1])
    with pytest.raises(RuntimeError, match=r"(?s)Error downloading train-images.*corrupted"):
        Mine(tmp_path / "other", download=True)
    assert not list((tmp_path / "other").rglob("*ubyte*"))
    with pytest.raises(RuntimeError, match="404"):
        download_url(address + "none", tmp_path)
    monkeypatch.setattr(datasets.utils, "MOST", 100)
    with pytest.raises(RuntimeError, match="more than 100 bytes"):
        download_url(address + "train-images-idx3-ubyte.gz", tmp_path, "large")


def tar(**members):
    """An archive of files, and of links where the content is a text."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, what in members.items():
            member = tarfile.TarInfo(name.replace("_", "/"))
            if isinstance(what, str):
                member.type, member.linkname = tarfile.SYMTYPE, what
                archive.addfile(member)
            else:
                member.size = len(what)
                archive.addfile(member, io.BytesIO(what))
    return content.getvalue()


ARCHIVES = {
    "up.tar.gz": tar(**{".._.._evil": b"x"}),
    "root.tgz": tar(link="/etc", link_evil=b"x"),
    "link.tar": tar(link="../..", link_evil=b"x"),
    "none.tar.gz": b"nothing",
    "cut.tar.gz": tar(good=os.urandom(5_000))[:-3_000],
    "cut.gz": gzip.compress(os.urandom(500))[:-30],
    "bomb.gz": gzip.compress(bytes(20_000)),
    "bomb.tar": tar(large=bytes(20_000)),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives(name, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.utils, "MOST", 10_000)
    inner = tmp_path / "a" / "b"
    fill(inner, {name: ARCHIVES[name]})
    with pytest.raises(RuntimeError, match=name):
        extract_archive(inner / name)
    assert not list(tmp_path.rglob("evil"))
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def as_python_2(content):
    """A pickle whose byte strings are written as Python 2 wrote them."""
    renamed = {"BINBYTES": b"T", "SHORT_BINBYTES": b"U"}
    found = bytearray(content)
    for code, _, place in pickletools.genops(content):
        if code.name in renamed:
            found[place : place + 1] = renamed[code.name]
    return bytes(found)


def batch(count, key="labels"):
    data = np.random.default_rng(count).integers(0, 256, (count, 3072)).astype(np.uint8)
    told = {"data": data, key: list(range(count)), "batch_label": "a batch"}
    return as_python_2(pickle.dumps(told, protocol=3))


def test_cifar(theirs, tmp_path):
    files = {f"data_batch_{i}": batch(i) for i in range(1, 6)} | {"test_batch": batch(2)}
    files["batches.meta"] = pickle.dumps({"label_names": list("abcde")}, protocol=2)
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    fill(tmp_path / "cifar-10-batches-py", files)
    train, test = (
        [(name, sums[name]) for name in list(files)[:5]],
        [("test_batch", sums["test_batch"])],
    )
    known = {"train_list": train, "test_list": test}
    meta = ("batches.meta", sums["batches.meta"])
    ours = type("CIFAR10", (datasets.CIFAR10,), {**known, "meta": meta})
    told = {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    other = type("CIFAR10", (theirs.datasets.CIFAR10,), {**known, "meta": told})
    for split in (True, False):
        same_sets(ours(tmp_path, split), other(tmp_path, split))
    with pytest.raises(RuntimeError, match="Dataset not found or corrupted"):
        datasets.CIFAR10(tmp_path)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was_run",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil(), protocol=2),
        pickle.dumps({"data": Evil()}, protocol=3),
        pickle.dumps({"data": np.zeros(3072, np.float32)}, protocol=3),
        pickle.dumps({"data": np.array([{}], object)}, protocol=3),
        batch(2).replace(b"M\x00\x0c", b"M\x01\x0c"),
        batch(2)[:-40],
        b"",
        pickle.dumps([1, 2]),
    ],
)
def test_hostile_pickles(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(RuntimeError, match="is no file of CIFAR's"):
        cifar.read_batch(tmp_path / "file")
    assert not (tmp_path / "was_run").exists()


def test_image_folder(theirs, tmp_path):
    for name, picture in (
        ("cat/a.PNG", IMAGES[0]),
        ("cat/deep/b.png", IMAGES[1]),
        ("dog/c.bmp", IMAGES[2]),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "cat" / "notes.txt").touch()
    ours, other = (each(tmp_path) for each in (datasets.ImageFolder, theirs.datasets.ImageFolder))
    same_sets(ours, other)
    assert (ours.samples, ours.targets) == (other.samples, other.targets)
    (tmp_path / "empty").mkdir()
    for each in (datasets.ImageFolder, theirs.datasets.ImageFolder):
        with pytest.raises(
            FileNotFoundError, match=r"Found no valid file for the classes empty. Sup"
        ):
            each(tmp_path)
        assert len(each(tmp_path, allow_empty=True)) == 3
        assert len(each(tmp_path / "cat", is_valid_file=lambda path: True)) == 1
        with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
            each(tmp_path / "dog")


def test_fake_data(theirs):
    settings = {"size": 3, "image_size": (3, 8, 9), "num_classes": 4, "random_offset": 5}
    torch.manual_seed(1)
    same_sets(datasets.FakeData(**settings), theirs.datasets.FakeData(**settings))
    torch.manual_seed(1)
    before = torch.rand(1)
    torch.manual_seed(1)
    assert len(datasets.FakeData(**settings)[0]) == 2
    assert torch.equal(torch.rand(1), before)


BATCH = torch.linspace(-1, 2, 5 * 3 * 4 * 6).reshape(5, 3, 4, 6)
GRIDS = [
    (BATCH, {}),
    (BATCH, {"nrow": 2, "padding": 0}),
    (BATCH, {"normalize": True, "pad_value": 0.5, "nrow": 3}),
    (BATCH, {"normalize": True, "scale_each": True}),
    (BATCH, {"normalize": True, "value_range": (0.0, 1.0)}),
    (BATCH[:, :1], {"padding": 1}),
    (BATCH[:1], {}),
    (BATCH[0], {}),
    (BATCH[0, :1], {}),
    (BATCH[0, 0], {"normalize": True}),
    (list(BATCH), {}),
    ((BATCH[0] * 50).to(torch.uint8), {"padding": 3}),
]


def test_grids(theirs, tmp_path):
    for tensor, settings in GRIDS:
        made, wanted = (each.make_grid(tensor, **settings) for each in (utils, theirs.utils))
        assert torch.equal(made, wanted), settings
        if made.dtype == torch.float32:
            for name, package in (("ours", utils), ("theirs", theirs.utils)):
                package.save_image(tensor, tmp_path / f"{name}.png", **settings)
            ours, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("ours", "theirs"))
            assert ours == other
    for package in (utils, theirs.utils):
        with pytest.raises(TypeError, match="tensor or list of tensors expected"):
            package.make_grid([1, 2])
        with pytest.raises(TypeError, match="value_range has to be a tuple"):
            package.make_grid(BATCH, normalize=True, value_range=[0, 1])
