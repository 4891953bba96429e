"""`torch.save` and `torch.load`: tensors and plain containers in PyTorch's own file format.

A file is a zip archive: `data.pkl` says what was saved, `data/0`, `data/1`, … are the memory of
its tensors. Reading one never runs anything that it says: tensors, parameters and plain containers
are admitted and nothing else, as with PyTorch's `weights_only=True`. Whole modules are saved too,
and loaded by those who ask for it.
"""

from tinygrad_mnist.names import lazily
from tinygrad_mnist.serialization.loading import load
from tinygrad_mnist.serialization.objects import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from tinygrad_mnist.serialization.saving import save

__all__ = [
    "add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save",
]  # fmt: skip
__getattr__, __dir__ = lazily(__name__, {})
