"""Pictures of noise, for trying a program out."""

from __future__ import annotations

from typing import Any

import torch

from ..transforms.functional import to_pil_image
from .vision import Function, VisionDataset


class FakeData(VisionDataset):
    """`size` pictures of noise with random classes, each the same whenever it is asked for."""

    def __init__(
        self, size: int = 1000, image_size: Any = (3, 224, 224), num_classes: int = 10,
        transform: Function = None, target_transform: Function = None, random_offset: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.num_classes, self.random_offset = size, num_classes, random_offset
        self.image_size = image_size

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        state = torch.get_rng_state()
        torch.manual_seed(index + self.random_offset)
        image = torch.randn(*self.image_size)
        target = torch.randint(0, self.num_classes, size=(1,), dtype=torch.int64)[0]
        torch.set_rng_state(state)
        image, target = self._transformed(to_pil_image(image), target)
        return image, target.item()

    def __len__(self) -> int:
        return self.size
