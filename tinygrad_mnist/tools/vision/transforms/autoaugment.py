"""Changes of pictures of which one is drawn for each."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ..refusals import refuse
from . import functional as F
from .functional import InterpolationMode, Picture

__all__ = ["TrivialAugmentWide"]

_CHANGES: dict[str, tuple[tuple[float, float] | None, bool]] = {
    "Identity": (None, False), "ShearX": ((0, 0.99), True), "ShearY": ((0, 0.99), True),
    "TranslateX": ((0, 32), True), "TranslateY": ((0, 32), True), "Rotate": ((0, 135), True),
    "Brightness": ((0, 0.99), True), "Color": ((0, 0.99), True), "Contrast": ((0, 0.99), True),
    "Sharpness": ((0, 0.99), True), "Posterize": ((8, 2), False), "Solarize": ((255, 0), False),
    "AutoContrast": (None, False), "Equalize": (None, False),
}  # fmt: skip
"""The strengths of each change, from weakest to strongest, and whether it goes both ways."""


def _changed(img: Picture, name: str, strength: float, **how: Any) -> Picture:
    """The picture, changed; `how` are interpolation and fill."""
    match name:
        case "ShearX" | "ShearY":
            angle = math.degrees(math.atan(strength))
            shear = [angle, 0.0] if name == "ShearX" else [0.0, angle]
            return F.affine(img, 0.0, [0, 0], 1.0, shear, center=[0, 0], **how)
        case "TranslateX" | "TranslateY":
            shift = [int(strength), 0] if name == "TranslateX" else [0, int(strength)]
            return F.affine(img, 0.0, shift, 1.0, [0.0, 0.0], **how)
        case "Rotate":
            return F.rotate(img, strength, **how)
        case "Posterize":
            return F.posterize(img, int(strength))
        case "Solarize":
            return F.solarize(img, strength)
        case "AutoContrast" | "Equalize":
            return getattr(F, name.lower())(img)
        case "Identity":
            return img
    kind = "saturation" if name == "Color" else name.lower()
    return getattr(F, f"adjust_{kind}")(img, 1.0 + strength)


class TrivialAugmentWide(nn.Module):
    """One change of a Pillow picture, drawn with its strength from `num_magnitude_bins`.

    Müller and Hutter, "TrivialAugment" (2021).
    """

    def __init__(
        self, num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST, fill: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def forward(self, img: Picture) -> Picture:
        """The changed picture."""
        name = [*_CHANGES][int(torch.randint(len(_CHANGES), (1,)).item())]
        ends, both_ways = _CHANGES[name]
        strength, bins = 0.0, self.num_magnitude_bins
        if ends is not None:
            strengths = torch.linspace(*ends, bins)
            if name == "Posterize":
                strengths = 8 - (torch.arange(bins) / ((bins - 1) / 6)).round().int()
            strength = float(strengths[torch.randint(bins, (1,))].item())
        if both_ways and torch.randint(2, (1,)):
            strength = -strength
        return _changed(img, name, strength, interpolation=self.interpolation, fill=self.fill)

    def __repr__(self) -> str:
        names = ("num_magnitude_bins", "interpolation", "fill")
        settings = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{type(self).__name__}({settings})"


__getattr__ = refuse("torchvision.transforms.autoaugment")
