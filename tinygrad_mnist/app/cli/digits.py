"""The digits that a command works on, and a warning where they are not those one may expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad_mnist import Tensor
    from tinygrad_mnist.app.datasets import Digits


def load(where: str) -> Digits[Tensor]:
    """The digits, and a warning that cannot be missed if they are not those one may expect."""
    import warnings

    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from tinygrad_mnist.app.train import load

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        digits = load(where)
    for warning in caught:
        text = Text(str(warning.message).strip())
        Console(stderr=True).print(Panel(text, title="warning", border_style="bold red"))
    return digits
