"""What training needs beside the network: data, in `utils.data`."""

from . import data

__all__ = ["data"]
