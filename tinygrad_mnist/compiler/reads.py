"""What the code of a function may read by name: globals, attributes, modules it imports."""

from __future__ import annotations

import dis
import functools
import types
from dataclasses import dataclass, field

_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_ROOTS = (*_GLOBAL, "LOAD_DEREF", "LOAD_CLASSDEREF")
_FOUND_BY_TEXT = {"globals", "eval", "exec"}


@dataclass
class Reads:
    """The names in a function's code, and in that of the functions written inside it."""

    globals: set[str] = field(default_factory=set)
    paths: set[tuple[str, ...]] = field(default_factory=set)
    """A global or a closure's name, and the attributes that are read of it in one go."""
    attributes: set[str] = field(default_factory=set)
    """All attributes, and texts that may name one, as in `getattr(x, "name")`."""
    imported: set[str] = field(default_factory=set)

    def take(self, code: types.CodeType) -> None:
        """Add what `code` reads."""
        path: tuple[str, ...] = ()
        for step in dis.get_instructions(code):
            name, before, path = step.argval, path, ()
            if step.opname in _ROOTS:
                path = (name,)
                self.globals |= {name} if step.opname in _GLOBAL else set()
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") or "SUPER" in step.opname:
                self.attributes.add(name)
                path, before = ((*before, name), ()) if before else ((), ())
            elif step.opname == "IMPORT_NAME":
                self.imported |= {name, name.partition(".")[0]}
            elif isinstance(name, types.CodeType):
                self.take(name)
            elif step.opname == "IMPORT_FROM" or (type(name) is str and "CONST" in step.opname):
                self.attributes.add(name)
            if before:
                self.paths.add(before)


@functools.lru_cache(maxsize=1024)
def reads_of(code: types.CodeType) -> Reads:
    """What a function with this code may read."""
    reads = Reads()
    reads.take(code)
    if not reads.globals.isdisjoint(_FOUND_BY_TEXT):
        reads.globals |= reads.attributes
    return reads
