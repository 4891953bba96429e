"""Where MNIST's published files may lie on this machine, and the sums that tell them."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from io import BytesIO
from pathlib import Path

from tinygrad_mnist.kernels import cache_folder
from tinygrad_mnist.serialization import files

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""MNIST's files and the sums over them, unpacked; the gzip around them may differ."""
VARIABLE = "TINYGRAD_MNIST_DATA"
IDX_LIMIT = 64 * 2**20
"""Bytes, unpacked; MNIST's largest file has 47 million."""


def named_folder() -> Path | None:
    """The folder that the environment variable TINYGRAD_MNIST_DATA names, if it is set."""
    value = os.environ.get(VARIABLE)
    return Path(value).expanduser() if value else None


def found(name: str) -> bytes | None:
    """One of MNIST's files, unpacked, from the named folder or this user's downloads, or None."""
    for folder in (named_folder(), cache_folder.for_data("mnist")):
        for path in [] if folder is None else [folder / f"{name}.gz", folder / name]:
            try:
                content = files.read(path, IDX_LIMIT)
                if path.suffix == ".gz":
                    content = gzip.GzipFile(fileobj=BytesIO(content)).read(IDX_LIMIT)
            except (files.ReadError, OSError, EOFError, zlib.error):
                continue
            if hashlib.sha256(content).hexdigest() == SHA256[name]:
                return content
    return None
