"""`team.share` in compiled code, and what a helper does; importing this imports Numba."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types as untyped_types
from numba.core import cgutils as untyped
from numba.extending import intrinsic, overload

from . import native_code, team
from .team import (
    ACTIVE,
    ALLOWED,
    AVOIDED,
    CODE,
    COUNT,
    FAILED,
    GIVEN,
    HELPER,
    HELPERS,
    LATEST,
    LEAVING,
    LOCK,
    NEXT,
    OPEN,
    PENALTY,
    PRESENT,
    PROCESSORS,
    REST,
    SEMAPHORE,
    SLEEPING,
    WORTH,
)

Array = np.ndarray[Any, Any]
cgutils: Any = untyped
types: Any = untyped_types

_WORDS = native_code.TEAM
native_code.name_team()
_INT, _BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
_PIECE = ir.FunctionType(ir.IntType(32), [_BYTES, _INT])


def _instruction(define: Callable[..., Any]) -> Callable[..., Any]:
    """A function of compiled code, by the LLVM instructions that it stands for."""
    return cast(Callable[..., Any], intrinsic(define))


def _word(builder: Any, place: Any) -> Any:
    """The address of one of the team's words."""
    kind = ir.ArrayType(_INT, team.WORDS)
    words = builder.module.globals.get(_WORDS) or ir.GlobalVariable(builder.module, kind, _WORDS)
    return builder.gep(words, [_INT(0), place], inbounds=True)


@_instruction
def _read(typing: Any, place: Any) -> Any:
    """A word, as it is now."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_word(builder, args[0]), "seq_cst", 8)

    return types.intp(types.intp), generate


@_instruction
def _write(typing: Any, place: Any, number: Any) -> Any:
    """A word becomes another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _word(builder, args[0]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp), generate


@_instruction
def _add(typing: Any, place: Any, number: Any) -> Any:
    """Add to a word; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _word(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


@_instruction
def _exchange(typing: Any, place: Any, number: Any) -> Any:
    """A word becomes another; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", _word(builder, args[0]), args[1], "seq_cst")

    return types.intp(types.intp, types.intp), generate


@_instruction
def _semaphore(typing: Any) -> Any:
    """The semaphore's address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ptrtoint(_word(builder, _INT(SEMAPHORE)), _INT)

    return types.intp(), generate


_BREATHE = {"x86_64": ("llvm.x86.sse2.pause", ()), "aarch64": ("llvm.aarch64.hint", (1,))}


@_instruction
def _breathe(typing: Any) -> Any:
    """Tell the processor that a thread does but look out."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if platform.machine() in _BREATHE:
            name, numbers = _BREATHE[platform.machine()]
            hints = [ir.IntType(32)(number) for number in numbers]
            kind = ir.FunctionType(ir.VoidType(), [hint.type for hint in hints])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), hints)
        return context.get_dummy_value()

    return types.none(), generate


@_instruction
def _computed(typing: Any, code: Any, given: Any, n: Any) -> Any:
    """Compute piece n; other than 0 where that fails."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = builder.inttoptr(args[0], _PIECE.as_pointer())
        failed = builder.call(code, [builder.inttoptr(args[1], _BYTES), args[2]])
        return builder.sext(failed, _INT)

    return types.intp(types.intp, types.intp, types.intp), generate


@_instruction
def _packed(typing: Any, piece: Any, args: Any) -> Any:
    """The addresses of a piece's code and of its arguments, which live as long as the caller."""
    kinds = tuple([types.unliteral(kind) for kind in (types.intp, *args.types)])
    piece.get_call_type(typing, kinds, {})
    compiled = piece.dispatcher.overloads[kinds]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        context.active_code_library.add_linking_library(compiled.library)
        given = cgutils.alloca_once_value(builder, values[1])
        code = _code(context, builder.module, compiled.fndesc, values[1].type, args.types)
        addresses = [builder.ptrtoint(each, _INT) for each in (code, given)]
        return context.make_tuple(builder, signature.return_type, addresses)

    return types.UniTuple(types.intp, 2)(piece, args), generate


def _code(context: Any, module: Any, compiled: Any, kind: Any, kinds: Any) -> Any:
    """A function of the arguments' address and a piece's number, which computes that piece.

    It is given arrays without an owner: threads that count references to one wait for each other.
    """
    name = module.get_unique_name(f"piece.{compiled.mangled_name}")
    code = ir.Function(module, _PIECE, name)
    code.linkage = "internal"
    builder = ir.IRBuilder(code.append_basic_block())
    given = builder.load(builder.bitcast(code.args[0], kind.as_pointer()))
    values = [builder.extract_value(given, n) for n in range(len(kinds))]
    for n, each in enumerate(kinds):
        for owner in (0, 1) if isinstance(each, types.Array) else ():
            none = values[n].type.elements[owner](None)
            values[n] = builder.insert_value(values[n], none, owner)
    function = context.declare_function(module, compiled)
    status, _ = context.call_conv.call_function(
        builder, function, compiled.restype, compiled.argtypes, [code.args[1], *values]
    )
    builder.ret(builder.zext(status.is_error, ir.IntType(32)))
    return code


_sem_wait = types.ExternalFunction("sem_wait", types.int32(types.intp))
_sem_post = types.ExternalFunction("sem_post", types.int32(types.intp))
_sched_getcpu = types.ExternalFunction("sched_getcpu", types.int32())
_sched_setaffinity = types.ExternalFunction(
    "sched_setaffinity", types.int32(types.int32, types.intp, types.intp)
)
_sched_yield = types.ExternalFunction("sched_yield", types.int32())


_threads: Any = lambda: team.MOST  # noqa: E731
"""How many threads BLAS uses now; as many as one likes, if it cannot be asked."""
if native_code.name_blas():
    _threads = types.ExternalFunction(f"{native_code.PREFIX}get", types.int32())
else:
    _threads = numba.njit(_threads)

_LOOKS_OUT = 3000
"""How often a helper looks whether there is something to do before it sleeps."""
_PATIENCE = 200
"""How long one waits for a piece of another's before it lets other programs run."""
_LONG = 2000
_LEAST_REST, _MOST_REST = 64, 4096
"""For how many loops one does without help after having waited long."""

_part = numba.njit(error_model="numpy", nogil=True)


@_part
def _take_pieces() -> None:
    """Compute pieces as long as there are any."""
    code, given, count = _read(CODE), _read(GIVEN), _read(COUNT)
    n = _add(NEXT, 1)
    while n < count:
        if _computed(code, given, n):
            _write(FAILED, 1)
        n = _add(NEXT, 1)


@_part
def _alone(code: int, given: int, count: int) -> bool:
    failed = False
    for n in range(count):
        failed |= _computed(code, given, n) != 0
    return failed


@_part
def shared(code: int, given: int, count: int, helpers: int) -> bool:
    """Compute pieces together with so many helpers; whether one failed."""
    helpers = min(helpers, _read(PRESENT), count - 1)
    if helpers < 1 or _exchange(LOCK, 1):
        return _alone(code, given, count)
    if _read(REST) > 0:
        _add(REST, -1)
        _write(LOCK, 0)
        return _alone(code, given, count)
    _write(CODE, code)
    _write(GIVEN, given)
    _write(COUNT, count)
    _write(HELPERS, helpers)
    _write(FAILED, 0)
    _write(NEXT, 0)
    if _read(AVOIDED) != _sched_getcpu() + 1:
        _keep_off(_sched_getcpu())
    _write(OPEN, _add(LATEST, 1) + 1)
    for _ in range(_exchange(SLEEPING, 0)):
        _sem_post(_semaphore())
    _take_pieces()
    _write(OPEN, 0)
    _wait_for_others()
    failed = bool(_read(FAILED))
    _write(LOCK, 0)
    return failed


@_part
def _wait_for_others() -> None:
    """Wait until no helper is at a piece; whoever waits long does without them for a while."""
    waited = 0
    while _read(ACTIVE):
        waited += 1
        if waited < _PATIENCE:
            _breathe()
        else:
            _sched_yield()
    penalty = _read(PENALTY)
    if waited > _LONG:
        _write(PENALTY, min(max(2 * penalty, _LEAST_REST), _MOST_REST))
        _write(REST, _read(PENALTY))
    elif penalty:
        _write(PENALTY, penalty - 1)


@_part
def _keep_off(processor: int) -> None:
    """Have the helpers leave a processor, if there is another."""
    others, any_other = np.empty(PROCESSORS // 64, np.int64), False
    for n in range(len(others)):
        others[n] = _read(ALLOWED + n)
        if n == processor // 64:
            others[n] &= ~(1 << processor % 64)
        any_other |= others[n] != 0
    if any_other:
        for n in range(_read(PRESENT)):
            _sched_setaffinity(_read(HELPER + n), others.nbytes, others.ctypes.data)
    _write(AVOIDED, processor + 1)


@_part
def work(number: int) -> None:
    """What helper `number` does until it is to leave."""
    seen, idle = 0, 0
    while not _read(LEAVING):
        now = _read(OPEN)
        if now and now != seen and number < _read(HELPERS):
            _add(ACTIVE, 1)
            seen = _read(OPEN)
            if seen and number < _read(HELPERS):
                _take_pieces()
            _add(ACTIVE, -1)
            idle = 0
        elif idle < _LOOKS_OUT:
            idle += 1
            _breathe()
        else:
            _add(SLEEPING, 1)
            if not _read(OPEN) and not _read(LEAVING):
                _sem_wait(_semaphore())
            idle = 0


@overload(team.share)
def _share(piece: Any, count: Any, *args: Any) -> Any:
    def compute(piece: Any, count: Any, *args: Any) -> Any:
        code, given = _packed(piece, args)
        if shared(code, given, count, _threads() - 1):
            raise MemoryError("no memory is left for a piece of a loop")

    return compute


@overload(team.worth)
def _worth() -> Any:
    return lambda: _read(WORTH)
