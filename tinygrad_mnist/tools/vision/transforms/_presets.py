"""What is done to a picture before a model sees it whose weights were trained on such pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from . import functional as F
from .functional import InterpolationMode, Picture


class ImageClassification(nn.Module):
    """A picture's middle as a normalised tensor."""

    def __init__(
        self, *, crop_size: int, resize_size: int = 256, mean: Any = (0.485, 0.456, 0.406),
        std: Any = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Picture) -> Any:
        """The tensor."""
        img = F.resize(
            img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias
        )
        img = F.center_crop(img, self.crop_size)
        img = img if F.is_tensor(img) else F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img, torch.float), mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        names = ("crop_size", "resize_size", "mean", "std", "interpolation")
        settings = [f"    {name}={getattr(self, name)}" for name in names]
        return "\n".join([f"{type(self).__name__}(", *settings, ")"])
