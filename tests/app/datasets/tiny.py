"""Data in the shape of MNIST, only smaller."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class TinyMNIST:
    """60 + 10 digits in the shape of MNIST, whose checksums pass for MNIST's meanwhile."""

    files: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def tiny_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Three pairs as the tutorial's pickle holds them, of 4, 3 and 2 rows."""
    random = np.random.default_rng(0)
    return [
        (random.integers(0, 256, (rows, 784)).astype(np.float32) / 256, np.arange(rows))
        for rows in (4, 3, 2)
    ]
