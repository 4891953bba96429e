"""A PyTorch script on both engines, and how equal what they do is."""

from .comparison import compare_script
from .differences import Bounds, Difference
from .report import Report

__all__ = ["Bounds", "Difference", "Report", "compare_script"]
