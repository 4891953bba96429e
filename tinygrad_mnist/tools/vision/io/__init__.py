"""`torchvision.io`: pictures in files, as tensors."""

from ..refusals import refuse
from .image import *  # noqa: F403

__getattr__ = refuse("torchvision.io")
