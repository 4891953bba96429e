"""PyTorch scripts and notebooks, run on this engine in a process of their own."""

from .program import Cell, Program, ScriptError, read
from .running import run

__all__ = ["Cell", "Program", "ScriptError", "read", "run"]
