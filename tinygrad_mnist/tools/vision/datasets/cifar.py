"""CIFAR: small colour pictures, in pickles that are read as data and run nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tinygrad_mnist.serialization import arrays, files, pickles

from ..refusals import must
from .utils import check_integrity, download_and_extract_archive
from .vision import SplitDataset

_MOST = 2**29
"""Bytes that a file may have; the largest has 155 million."""


_VOCABULARY = pickles.Vocabulary(
    arrays.NAMES,
    pickles.CONTAINERS | {"EMPTY_DICT", "SETITEM", "SETITEMS"},
    build=arrays.build,
    text=str,
)


def read_batch(path: Any) -> dict[str, Any]:
    """What a file of CIFAR's holds: texts, labels, and an array of pictures under "data".

    Raises RuntimeError where it is damaged or holds anything else.
    """
    try:
        content = files.read(Path(path), _MOST)
        found: dict[str, Any] = pickles.read(content, _VOCABULARY)
        if found.get("data") is not None:
            must(found["data"].dtype == np.uint8, "it holds an array of something else than bytes")
            found["data"] = found["data"].reshape(-1, 3, 32, 32)
        return found
    except Exception as error:  # a damaged pickle raises anything
        raise RuntimeError(f"{path}: is no file of CIFAR's ({error}); download it anew") from error


class CIFAR10(SplitDataset):
    """Pictures of ten kinds of things, 32 × 32, in `root`/cifar-10-batches-py.

    Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: Any = (
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    )
    test_list: Any = (("test_batch", "40351d587109b95175f43aff81a1287e"),)
    meta: Any = ("batches.meta", "5ff9c542aee3614f3951f8cda6e48888")
    names, labels = "label_names", "labels"

    def _load(self) -> None:
        told = "Dataset not found or corrupted. You can use download=True to download it"
        must(self._check_integrity(), told, RuntimeError)
        listed = self.train_list if self.train else self.test_list
        batches = [read_batch(self._path(name)) for name, _ in listed]
        self.data = np.vstack([batch["data"] for batch in batches]).transpose(0, 2, 3, 1)
        self.targets = [label for batch in batches for label in batch[self.labels]]
        self.classes = read_batch(self._path(self.meta[0]))[self.names]

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _check_integrity(self) -> bool:
        known = [*self.train_list, *self.test_list, self.meta]
        return all(check_integrity(self._path(name), md5) for name, md5 in known)

    def download(self) -> None:
        """The files, fetched where they are missing."""
        if not self._check_integrity():
            download_and_extract_archive(self.url, self.root, md5=self.tgz_md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(Image.fromarray(self.data[index]), self.targets[index])


class CIFAR100(CIFAR10):
    """Pictures of a hundred kinds of things, 32 × 32, in `root`/cifar-100-python."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = (("train", "16019d7e3df5f24257cddd939b257f8d"),)
    test_list = (("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),)
    meta = ("meta", "7973b15100ade9c7d40fb424638fde48")
    names, labels = "fine_label_names", "fine_labels"
