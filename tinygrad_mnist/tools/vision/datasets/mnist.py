"""MNIST and the sets in its format: IDX files, in the folders that torchvision uses."""

from __future__ import annotations

import os
import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tinygrad_mnist.serialization import files
from tinygrad_mnist.tools import mnist_files

from ..refusals import must
from .utils import check_integrity, download_and_extract_archive
from .vision import SplitDataset

_MOST = 2**30
"""Bytes that an IDX file may have."""
_FILES = [f"{name}-ubyte.gz" for name in (
    "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1",
)]  # fmt: skip


def _read(path: str, dimensions: int) -> Any:
    """The bytes in an IDX file: a header that tells type and sizes, then the numbers.

    Raises RuntimeError where the file is another, or not as long as its header says.
    """
    try:
        content = files.read(Path(path), _MOST)
    except files.ReadError as error:
        raise RuntimeError(str(error)) from error
    start = 4 + 4 * dimensions
    told = f"{path}: is no IDX file of bytes in {dimensions} dimensions; download it anew"
    is_idx = content[:4] == bytes([0, 0, 8, dimensions]) and len(content) >= start
    must(is_idx, told, RuntimeError)
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    told = f"{path}: has {len(content) - start} bytes after its header, which announces {shape}"
    must(prod(shape) == len(content) - start, f"{told}; download it anew", RuntimeError)
    return torch.from_numpy(np.frombuffer(bytearray(content), np.uint8, offset=start)).view(*shape)


def read_label_file(path: str) -> Any:
    """The labels in an IDX file, as int64."""
    return _read(path, 1).long()


def read_image_file(path: str) -> Any:
    """The pictures in an IDX file, as uint8."""
    return _read(path, 3)


class MNIST(SplitDataset):
    """Handwritten digits, 60,000 to train and 10,000 to test, in `root`/MNIST/raw.

    With `download` the files are fetched if they are missing: from this machine, where
    TINYGRAD_MNIST_DATA names MNIST's folder or it was downloaded before, else from the network.
    LeCun et al., "Gradient-based learning applied to document recognition" (1998).
    """

    mirrors: Any = ("https://ossci-datasets.s3.amazonaws.com/mnist/",)
    md5: Any = (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
    )  # fmt: skip
    classes: Any = ("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five",
                    "6 - six", "7 - seven", "8 - eight", "9 - nine")  # fmt: skip

    def _load(self) -> None:
        told = "Dataset not found. You can use download=True to download it"
        must(self._check_exists(), told, RuntimeError)
        images, labels = _FILES[:2] if self.train else _FILES[2:]
        self.classes = list(self.classes)
        self.data = read_image_file(self._path(images))
        self.targets = read_label_file(self._path(labels))
        told = f"{self.raw_folder}: {len(self.data)} pictures and {len(self.targets)} labels"
        must(len(self.data) == len(self.targets), told, RuntimeError)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = Image.fromarray(self.data[index].numpy())
        return self._transformed(image, int(self.targets[index]))

    @property
    def raw_folder(self) -> str:
        """Where the files lie."""
        return os.path.join(self.root, type(self).__name__, "raw")

    def _path(self, name: str) -> str:
        return os.path.join(self.raw_folder, name.removesuffix(".gz"))

    def _check_exists(self) -> bool:
        return all(check_integrity(self._path(name)) for name in _FILES)

    def download(self) -> None:
        """The files, fetched where they are missing."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for name, md5 in zip(_FILES, self.md5, strict=True):
            content = mnist_files.found(name.removesuffix(".gz")) if type(self) is MNIST else None
            if content is None:
                self._fetch(name, md5)
            else:
                with files.writing(Path(self._path(name))) as file:
                    file.write(content)

    def _fetch(self, name: str, md5: str) -> None:
        told = f"Error downloading {name}:\n"
        for mirror in self.mirrors:
            try:
                return download_and_extract_archive(mirror + name, self.raw_folder, md5=md5)
            except RuntimeError as error:
                told += f"Tried {mirror}, got:\n{error}\n"
        raise RuntimeError(told)


class FashionMNIST(MNIST):
    """Pictures of clothes in MNIST's format.

    Xiao et al., "Fashion-MNIST: a novel image dataset" (2017).
    """

    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    md5 = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
    )  # fmt: skip
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
               "Bag", "Ankle boot")  # fmt: skip


class KMNIST(MNIST):
    """Handwritten Japanese characters in MNIST's format.

    Clanuwat et al., "Deep learning for classical Japanese literature" (2018).
    """

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    md5 = (
        "bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134",
    )  # fmt: skip
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
