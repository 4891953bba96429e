"""The examples that come with `tinygrad-mnist explain`, run inside this process."""

from typing import Any

import tinygrad_mnist as torch
from tinygrad_mnist.explainer.script import example, examples

EXAMPLES = tuple(examples())
_OURS = (
    ("import torch.nn.functional as F", "from tinygrad_mnist.nn import functional as F"),
    ("from torch import nn", "from tinygrad_mnist import nn"),
    ("import torch", "import tinygrad_mnist as torch"),
)


def run(name: str) -> dict[str, Any]:
    """The variables of an example's program at its end."""
    path, _ = example(name)
    source = path.read_text(encoding="utf-8")
    for theirs, ours in _OURS:
        source = source.replace(theirs, ours)
    namespace: dict[str, Any] = {"__name__": "__main__", "print": lambda *_: None}
    exec(compile(source, str(path), "exec"), namespace)
    return namespace


def explained(name: str) -> Any:
    """The explanation of the backward pass that an example is about."""
    _, step = example(name)
    return torch.explain(lambda: run(name), step=step)
