"""The layers, a file for each kind, and Module, which all of them are."""

from .module import Module

__all__ = ["Module"]
