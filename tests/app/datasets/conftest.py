"""What the data tests share: a server, a tiny MNIST, an empty cache."""

import gzip
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.app.datasets.http_server import Server
from tests.app.datasets.tiny import TinyMNIST
from tinygrad_mnist.app.datasets import download, reading, synthetic
from tinygrad_mnist.tools import mnist_files


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and a downloader that loses patience sooner than it does for people."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "_READ_SECONDS", 0.3)
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.01)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def tiny_mnist(monkeypatch: pytest.MonkeyPatch) -> TinyMNIST:
    tiny = TinyMNIST()
    for part, count in (("train", 60), ("t10k", 10)):
        images, labels = synthetic.draw(count, seed=count)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = reading.to_idx(array)
            name = f"{part}-{kind}-ubyte"
            monkeypatch.setitem(reading.SHA256, name, sha256(content).hexdigest())
            tiny.files[f"{name}.gz"] = gzip.compress(content)
    monkeypatch.setattr(reading, "_TRAIN", 50)
    return tiny


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no folder named, and synthetic data that is drawn in no time."""
    monkeypatch.delenv(mnist_files.VARIABLE, raising=False)
    monkeypatch.setattr(reading, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(synthetic, "SIZES", (30, 10, 10))
    return tmp_path / "cache"
