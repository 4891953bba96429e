"""Files from the internet, kept in PyTorch's cache folder; code is not loaded from there."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from tinygrad_mnist import serialization
from tinygrad_mnist.names import lazily, refused
from tinygrad_mnist.serialization import files

__getattr__, __dir__ = lazily("tinygrad_mnist.hub", {})
globals().update(refused("hub", "help list load"))

_folder: str | None = None
_SECONDS = 30.0
_PART = 2**20


def get_dir() -> str:
    """The cache folder: `hub` in $TORCH_HOME, which is ~/.cache/torch if it is not set."""
    caches = os.path.join(os.getenv("XDG_CACHE_HOME", "~/.cache"), "torch")
    home = os.path.expanduser(os.getenv("TORCH_HOME", caches))
    return os.path.join(home, "hub") if _folder is None else _folder


def set_dir(d: str | os.PathLike[str]) -> None:
    """Make `d` the cache folder."""
    global _folder
    _folder = os.path.expanduser(d)


def download_url_to_file(
    url: str, dst: str, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """The file at `url` as the file `dst`, whole or not at all; `progress` changes nothing.

    Raises:
        RuntimeError: it cannot be had, or its SHA-256 sum does not begin with `hash_prefix`.
    """
    import requests

    path, known = Path(os.path.expanduser(dst)), hashlib.sha256()
    asked: Any = {"headers": {"Accept-Encoding": "identity"}, "timeout": _SECONDS}
    try:
        with files.writing(path) as file, requests.get(url, stream=True, **asked) as response:
            response.raise_for_status()
            for part in response.iter_content(_PART):
                known.update(part)
                file.write(part)
            digest = known.hexdigest()
            if hash_prefix and not digest.startswith(hash_prefix):
                told = f'invalid hash value (expected "{hash_prefix}", got "{digest}")'
                raise RuntimeError(f"{url}: {told}; the file is not kept")
    except (OSError, files.WriteError) as error:
        raise RuntimeError(
            f"{url} cannot be downloaded ({error}): where there is no network, bring the file to "
            f"{path} yourself"
        ) from error


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True,
    check_hash: bool = False, file_name: str | None = None, weights_only: bool = False,
) -> Any:  # fmt: skip
    """What `torch.load` reads of the file at `url`, which is kept in the cache folder.

    With `check_hash` the SHA-256 sum of what is downloaded must begin as its name says: "0676ba61"
    of `resnet50-0676ba61.pth`. Raises as `download_url_to_file` and `torch.load` do.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        found = re.search(r"-([a-f0-9]*)\.", name) if check_hash else None
        download_url_to_file(url, path, found and found[1], progress)
    return serialization.load(path, map_location, weights_only=weights_only)
