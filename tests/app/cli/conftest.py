"""What the tests of the command line share: a few digits, and a way to run the command."""

import pytest
from typer.testing import CliRunner

from tinygrad_mnist.app.cli.app import app
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels, save_archive


@pytest.fixture(scope="session")
def digits():
    """A few synthetic digits; 500 to train are no multiple of the batch, so the last is smaller."""
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((500, 100, 10))]
    return from_pixels(parts, "synthetic", "a few digits")


@pytest.fixture(scope="session")
def digits_file(digits, tmp_path_factory):
    """An archive of the few digits."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    with path.open("wb") as file:
        save_archive(file, digits)
    return path


@pytest.fixture
def command(monkeypatch):
    """Runs `tinygrad-mnist` with arguments inside this process, with an environment like a user's.

    A fault that is not told in a sentence raises here as it would end in a traceback there.
    """
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments):
        result = CliRunner().invoke(
            app, [str(each) for each in arguments], prog_name="tinygrad-mnist"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def no_mnist(tmp_path, monkeypatch):
    """A machine without MNIST or network, on which few synthetic digits are drawn."""
    from tinygrad_mnist.app.datasets import DataError, download

    def offline(folder, seconds=None):
        raise DataError("MNIST could not be downloaded: offline.")

    monkeypatch.setattr(download, "download", offline)
    monkeypatch.setattr(synthetic, "SIZES", (300, 100, 100))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_MNIST_DATA", raising=False)
