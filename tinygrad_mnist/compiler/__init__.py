"""compile: the operations of a traced function, as one Numba program."""

from .compiled import Compiled, compile
from .control import (
    allow_in_graph,
    cudagraph_mark_step_begin,
    disable,
    is_compiling,
    is_dynamo_compiling,
    list_backends,
    reset,
)
from .program import Program
from .scan import scan
from .trace import TraceError

__all__ = [
    "Compiled",
    "Program",
    "TraceError",
    "allow_in_graph",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "list_backends",
    "reset",
    "scan",
]
