"""What every rung begins with: the options of its command line, and its digits."""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]


def read_options(
    description: str | None, *, epochs: int = 2, rows: int | None = None
) -> argparse.Namespace:
    """The options of a rung whose own choices are given as defaults."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    devices = ("cpu", "cuda", "auto")
    add(
        "--device", choices=devices, default="cpu", help="auto: cuda if there; default: %(default)s"
    )
    add("--epochs", type=int, default=epochs, help="default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--data", default="auto", metavar="WHERE", help="auto, a folder of MNIST, or an .npz file")
    add("--rows", type=int, default=rows, help="train and validate on the first rows only")
    options = parser.parse_args()
    for name in ("epochs", "rows"):
        value = getattr(options, name)
        if value is not None and value < 1:
            parser.error(f"--{name}: expected an integer from 1 on, got {value}")
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: no CUDA device is found; use --device cpu")
    return options


def read_digits(options: argparse.Namespace) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images (n, 784) and labels (n,), then those for validation, on the CPU."""
    sys.path.insert(0, str(ROOT))
    from reference.data import DataError, load

    try:
        digits = load(options.data)
    except (DataError, OSError) as error:
        sys.exit(f"error: {error}")
    tensors = (digits.x_train, digits.y_train, digits.x_valid, digits.y_valid)
    return tuple(tensor[: options.rows] for tensor in tensors)
