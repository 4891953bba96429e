"""compile: the operations of a traced function, as one Numba program."""

from .compiled import Compiled, compile
from .program import Program
from .trace import TraceError

__all__ = ["Compiled", "Program", "TraceError", "compile"]
