"""`torchvision.transforms`: what is done to pictures before a network sees them."""

from ..refusals import refuse
from . import autoaugment, functional, transforms
from .autoaugment import TrivialAugmentWide
from .transforms import *  # noqa: F403

__all__ = [*transforms.__all__, "TrivialAugmentWide", "autoaugment", "functional", "transforms"]

__getattr__ = refuse("torchvision.transforms")
