"""Where MNIST may lie on this machine, and under which names."""

import os
from pathlib import Path

from .checksums import SHA256
from .errors import DataError

VARIABLE = "TINYGRAD_MNIST_DATA"
PICKLE = "mnist.pkl"
IDX_FILES = tuple(SHA256)


def named_folder() -> Path | None:
    """The folder that the environment variable TINYGRAD_MNIST_DATA names, if it is set."""
    value = os.environ.get(VARIABLE)
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """Where downloads of this user are kept."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("tinygrad_mnist", appauthor=False)) / "mnist"


def candidates(folder: Path) -> list[list[Path]]:
    """The complete sets in a folder: the four IDX files (read faster), then the pickle.

    Either may be compressed (.gz) or not; `train-images.idx3-ubyte` is a known spelling too.
    """
    idx_files = [_existing(folder, file, file.replace("-idx", ".idx")) for file in IDX_FILES]
    sets = [idx_files, [_existing(folder, PICKLE)]]
    return [[path for path in paths if path] for paths in sets if all(paths)]


def incomplete(folder: Path) -> list[str]:
    """The IDX files that a folder lacks, if it holds some of the four but not all."""
    missing = [
        file for file in IDX_FILES if not _existing(folder, file, file.replace("-idx", ".idx"))
    ]
    return missing if len(missing) < len(IDX_FILES) else []


def _existing(folder: Path, *names: str) -> Path | None:
    try:
        for name in names:
            for path in (folder / f"{name}.gz", folder / name):
                if path.is_file():
                    return path
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read ({error.strerror}); check path and permissions."
        ) from error
    return None
