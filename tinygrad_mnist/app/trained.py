"""Models that were trained, from files: safetensors, a run's checkpoint, a saved state_dict."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist.serialization import safetensors
from tinygrad_mnist.serialization.files import ReadError

from . import checkpoints
from .models import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinygrad_mnist import Tensor, nn

_ARCHIVE = b"PK"
"""How a file begins that `torch.save` wrote: it is a zip archive."""


def load(path: Path) -> tuple[str, nn.Module]:
    """A model's name, and the model with the weights in the file, which is not trusted.

    Where a file names no model, as other programs may leave it, it is of the model that has
    parameters of those names and shapes.

    Raises:
        ReadError: the file cannot be read, or holds no model that there is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error}).") from error
    is_archive = content.startswith(_ARCHIVE)
    name, weights = _from_archive(path, content) if is_archive else _from_safetensors(path, content)
    if name not in MODELS:
        known = ", ".join(MODELS)
        raise ReadError(f"{path}: holds the weights of no model that there is ({known}).")
    with torch.random.fork_rng():
        model = MODELS[name]()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ReadError(f"{path}: does not fit the model {name} ({reason}).") from error
    return name, model


def _from_archive(path: Path, content: bytes) -> tuple[str | None, dict[str, Tensor]]:
    try:
        weights = torch.load(BytesIO(content))
    except Exception as error:  # what is in a file may be anything
        raise ReadError(f"{path}: cannot be loaded ({error})") from error
    if isinstance(weights, dict) and all(isinstance(w, torch.Tensor) for w in weights.values()):
        return _named_by_shapes(weights), weights
    checkpoint = checkpoints.read(path)
    return checkpoint.settings.model, checkpoint.parameters()


def _from_safetensors(path: Path, content: bytes) -> tuple[str | None, dict[str, Tensor]]:
    try:
        weights = safetensors.load(content)
        name = safetensors.read_metadata(content).get("model")
    except Exception as error:  # what is in a file may be anything
        raise ReadError(
            f"{path}: is neither weights in safetensors nor a checkpoint ({error})."
        ) from error
    if name is None:
        name = _named_by_shapes(weights)
    return name, weights


def _named_by_shapes(weights: Mapping[str, Any]) -> str | None:
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    with torch.random.fork_rng():
        for name, make in MODELS.items():
            if shapes == {key: tuple(p.shape) for key, p in make().named_parameters()}:
                return name
    return None
