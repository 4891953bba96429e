"""`torchvision.transforms`: what is done to pictures before a network sees them."""

from ..refusals import refuse
from . import functional, transforms
from .transforms import *  # noqa: F403

__all__ = [*transforms.__all__, "functional", "transforms"]

__getattr__ = refuse("torchvision.transforms")
