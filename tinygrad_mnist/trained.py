"""Models that were trained, from files: weights in safetensors, or a run's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import tinygrad_mnist as torch
from tinygrad_mnist import checkpoints, safetensors
from tinygrad_mnist.files import ReadError
from tinygrad_mnist.models import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinygrad_mnist import Tensor, nn

_CHECKPOINT = b"PK"
"""How a checkpoint begins: it is a zip archive, and weights in safetensors are not."""


def load(path: Path) -> tuple[str, nn.Module]:
    """A model's name, and the model with the weights in the file, which is not trusted.

    Without a name in its metadata, as other programs may leave it, the file is of the model that
    has parameters of those names and shapes.

    Raises:
        ReadError: the file cannot be read, or holds no model that there is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if content.startswith(_CHECKPOINT):
        checkpoint = checkpoints.read(path)
        name, weights = checkpoint.settings.model, checkpoint.parameters()
    else:
        name, weights = _from_safetensors(path, content)
    with torch.random.fork_rng():
        model = MODELS[name]()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ReadError(f"{path}: does not fit the model {name} ({reason}).") from error
    return name, model


def _from_safetensors(path: Path, content: bytes) -> tuple[str, dict[str, Tensor]]:
    try:
        weights = safetensors.load(content)
        name = safetensors.read_metadata(content).get("model")
    except Exception as error:  # what is in a file may be anything
        raise ReadError(
            f"{path}: is neither weights in safetensors nor a checkpoint ({error})."
        ) from error
    if name is None:
        name = _named_by_shapes(weights)
    if name not in MODELS:
        known = ", ".join(MODELS)
        raise ReadError(f"{path}: holds the weights of no model that there is ({known}).")
    return name, weights


def _named_by_shapes(weights: Mapping[str, Any]) -> str | None:
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    with torch.random.fork_rng():
        for name, make in MODELS.items():
            if shapes == {key: tuple(p.shape) for key, p in make().named_parameters()}:
                return name
    return None
