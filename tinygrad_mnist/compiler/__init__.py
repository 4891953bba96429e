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
from .settings import config, mark_dynamic, mark_static, maybe_mark_dynamic, set_stance
from .trace import TraceError

__all__ = [
    "Compiled",
    "Program",
    "TraceError",
    "allow_in_graph",
    "compile",
    "config",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "list_backends",
    "mark_dynamic",
    "mark_static",
    "maybe_mark_dynamic",
    "reset",
    "scan",
    "set_stance",
]
