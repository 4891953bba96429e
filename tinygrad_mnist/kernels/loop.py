"""A declared loop: its code is had for a dtype when it is first called with it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np

Function = Callable[..., Any]
FLOATS: Final[tuple[np.dtype[Any], ...]] = (np.dtype(np.float32), np.dtype(np.float64))


class Loop:
    """What stands in the place of a function that is declared to be a loop.

    Where it has a signature for each dtype, the first array of that dtype says which is meant.
    """

    def __init__(
        self,
        function: Function,
        signature: str,
        options: dict[str, Any],
        entry_for: Callable[[Loop, str], Function],
    ) -> None:
        functools.update_wrapper(self, function)
        self.py_func, self.options, self._entry_for = function, options, entry_for
        self.signatures = signatures(signature)
        inside = re.sub(r"\[[^]]*\]", "@", signature.partition("(")[2][:-1])
        taken = [each.removeprefix("const ") for each in re.split(r", (?![^(]*\))", inside)]
        arrays = [each for each in taken if each.endswith("@") or each.startswith("Array")]
        typed = next((each for each in arrays if re.search(r"\bT\b", each)), arrays[0])
        self._place = taken.index(typed)
        dtype = re.search(r"u?int\d+|float\d+", typed)
        self.dtypes = FLOATS if dtype is None else (np.dtype(dtype[0]),)
        self._entries: dict[np.dtype[Any], Function] = {}

    def __call__(self, *args: Any) -> Any:
        """What the loop returns."""
        try:
            entry = self._entries[args[self._place].dtype]
        except KeyError:
            entry = self.entry(args[self._place].dtype)
        return entry(*args)

    def entry(self, dtype: np.dtype[Any]) -> Function:
        """The code for a dtype, as Python calls it."""
        if dtype not in self.dtypes:
            raise TypeError(f"no loop of {self.py_func.__name__} is for {dtype}")
        signature = self.signatures[self.dtypes.index(dtype)]
        return self._entries.setdefault(dtype, self._entry_for(self, signature))


def signatures(signature: str) -> list[str]:
    """The signature as Numba spells it, for each dtype."""

    def spelled(array: re.Match[str]) -> str:
        dimensions = 2 if array["row"] else 1
        return f"Array({array['dtype']}, {dimensions}, 'C', readonly=True, aligned=False)"

    signature = re.sub(r"const (?P<dtype>\w+)\[(?P<row>:, )?::1\]", spelled, signature)
    kinds = ("float32", "float64") if re.search(r"\bT\b", signature) else ("",)
    return [re.sub(r"\bT\b", kind, signature) for kind in kinds]
