"""Under which names MNIST is recognised in a folder."""

from pathlib import Path

import pytest

from tinygrad_mnist.app.datasets import reading
from tinygrad_mnist.tools import mnist_files

IDX = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def found(folder: Path) -> list[list[str]]:
    return [[path.name for path in paths] for paths in reading.candidates(folder)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_every_spelling_of_the_idx_files(tmp_path: Path, suffix: str, dotted: bool) -> None:
    names = [(name.replace("-idx", ".idx") if dotted else name) + suffix for name in IDX]
    fill(tmp_path, *names)
    assert found(tmp_path) == [names]
    assert reading.incomplete(tmp_path) == []


@pytest.mark.parametrize("name", ["mnist.pkl", "mnist.pkl.gz"])
def test_the_pickle(tmp_path: Path, name: str) -> None:
    fill(tmp_path, name)
    assert found(tmp_path) == [[name]]


def test_the_idx_files_come_first(tmp_path: Path) -> None:
    fill(tmp_path, "mnist.pkl.gz", *IDX)
    assert found(tmp_path) == [IDX, ["mnist.pkl.gz"]]


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    fill(tmp_path, *IDX[:2])
    assert found(tmp_path) == []
    assert reading.incomplete(tmp_path) == IDX[2:]


def test_folders_and_other_files_are_not_taken_for_data(tmp_path: Path) -> None:
    fill(tmp_path, "mnist_small_py2.pkl.gz", "README.md")
    (tmp_path / "mnist.pkl.gz").mkdir()
    assert found(tmp_path) == found(tmp_path / "nowhere") == []
    assert reading.incomplete(tmp_path) == reading.incomplete(tmp_path / "nowhere") == []


def test_the_variable_names_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mnist_files.VARIABLE, "some/folder")
    assert mnist_files.named_folder() == Path("some/folder")
    monkeypatch.setenv(mnist_files.VARIABLE, "~/mnist")
    assert mnist_files.named_folder() == Path.home() / "mnist"
    monkeypatch.setenv(mnist_files.VARIABLE, "")
    assert mnist_files.named_folder() is None
    monkeypatch.delenv(mnist_files.VARIABLE)
    assert mnist_files.named_folder() is None


def test_the_cache_is_this_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / name)
    cache = reading.cache_folder()
    assert cache == tmp_path / "tinygrad_mnist" / "mnist"
    cache.chmod(0o777)
    temporary = reading.cache_folder()
    assert temporary == reading.cache_folder() != cache
    assert temporary.stat().st_mode & 0o777 == 0o700
