"""Computing a part of the forward pass again in backward, instead of keeping what it saves.

>>> from tinygrad_mnist.utils.checkpoint import checkpoint
>>> x = torch.tensor([0.5], requires_grad=True)
>>> checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False).backward()
>>> x.grad
tensor([-0.1283])

Without `use_reentrant` hooks keep a place-holder for each saved tensor. The first one that backward
asks for has the function run again, and what that saves is taken for what was not kept, in order.
With it, the call is one `Function` whose backward runs the function again and goes back through it.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tinygrad_mnist.autograd.function import Function, FunctionCtx, kept_for_backward
from tinygrad_mnist.autograd.gradients import backward
from tinygrad_mnist.autograd.graph import saved_tensors_hooks
from tinygrad_mnist.engine.modes import backward_mode, enable_grad, is_grad_enabled
from tinygrad_mnist.engine.observer import OBSERVERS, observe
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.hardware import amp
from tinygrad_mnist.ops.generator import fork_rng, get_rng_state, set_rng_state

__all__ = [
    "CheckpointError", "checkpoint", "checkpoint_sequential", "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]  # fmt: skip

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]
_early_stop: list[bool | None] = []
"""What `set_checkpoint_early_stop` said, the innermost last."""
_debug: list[bool | None] = []
"""What `set_checkpoint_debug_enabled` said."""


class CheckpointError(RuntimeError):
    """The function did not save, when it ran again, what it saved the first time."""


class _Stop(Exception):
    """All tensors that were asked for are there."""


class _Holder:
    """In place of a saved tensor, which the function will compute again."""

    __slots__ = ("__weakref__",)


@contextlib.contextmanager
def _saying(said: list[bool | None], value: bool | None) -> Iterator[None]:
    said.append(value)
    try:
        yield
    finally:
        said.pop()


def set_checkpoint_early_stop(enable: bool) -> AbstractContextManager[None]:
    """Whether, inside the `with` block, a repeated forward ends once all it saved is there.

    >>> with torch.utils.checkpoint.set_checkpoint_early_stop(False):
    ...     pass
    """
    return _saying(_early_stop, enable)


def set_checkpoint_debug_enabled(enabled: bool | None) -> AbstractContextManager[None]:
    """Whether, inside the `with` block, errors list the operations, whatever `debug` says.

    >>> with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):
    ...     pass
    """
    return _saying(_debug, enabled)


def _last(said: list[bool | None], otherwise: bool) -> bool:
    """What a context manager said last, if it said anything."""
    return otherwise if not said or said[-1] is None else said[-1]


@contextlib.contextmanager
def _listing(names: list[str] | None) -> Iterator[None]:
    """Note the name of each operation that is called."""
    outside = OBSERVERS.get(threading.get_ident())

    def note(op: Any, *call: Any) -> None:
        if outside is not None:
            outside(op, *call)
        if names is not None:
            names.append(op.name)

    with observe(outside if names is None else note):
        yield


def _noop_context_fn() -> Contexts:
    return nullcontext(), nullcontext()


class _Call:
    """A call that is to be made again: all but its tensors, and the state in which it began."""

    def __init__(
        self, function: Callable[..., Any], given: tuple[Any, ...], names: tuple[str, ...],
        preserve: bool,
    ) -> None:  # fmt: skip
        """Of the arguments `given`, the last ones have `names`."""
        self.function, self.names = function, names
        self.rest = [None if isinstance(each, Tensor) else (each,) for each in given]
        self.random = get_rng_state() if preserve else None
        self.casts = amp.autocast(
            "cpu", amp.get_autocast_dtype("cpu"), amp.is_autocast_enabled("cpu"),
            amp.is_autocast_cache_enabled(),
        )  # fmt: skip

    def again(self, tensors: Iterable[Any], *inside: AbstractContextManager[Any]) -> Any:
        """What the function returns now, recorded; `inside` is entered before it is called."""
        left = iter(tensors)
        given = [next(left) if each is None else each[0] for each in self.rest]
        count = len(given) - len(self.names)
        named = dict(zip(self.names, given[count:], strict=True))
        with contextlib.ExitStack() as stack:
            stack.enter_context(fork_rng(enabled=self.random is not None))
            if self.random is not None:
                set_rng_state(self.random)
            contexts: tuple[Any, ...] = (enable_grad(), self.casts, *inside)
            for each in contexts:
                stack.enter_context(each)
            return self.function(*given[:count], **named)


def _tensors(given: Iterable[Any]) -> tuple[Tensor, ...]:
    return tuple([each for each in given if isinstance(each, Tensor)])


class _Frame:
    """What a call saved the first time, and what it saves when it is made again."""

    def __init__(
        self, call: _Call, given: tuple[Any, ...], again: AbstractContextManager[Any], checks: bool,
        early_stop: bool, debug: bool,
    ) -> None:  # fmt: skip
        self.call, self.inside, self.checks, self.early_stop = call, again, checks, early_stop
        self.context = context = FunctionCtx()
        tensors = _tensors(given)
        records = tuple([current_record(each) for each in tensors])
        context._saved = tuple(
            [kept_for_backward(each, context, tensors, records, ()) for each in tensors]
        )
        self.first_run: list[str] | None = [] if debug else None
        self.holders: list[tuple[weakref.ref[_Holder], Any]] = []
        self.complete, self.partial = False, False
        """Whether the function has returned; whether backward was asked for before it had."""

    def pack(self, tensor: Tensor) -> _Holder:
        """A place-holder for a tensor that the function saves the first time."""
        holder = _Holder()
        self.holders.append((weakref.ref(holder), self.told(tensor)))
        return holder

    def told(self, tensor: Tensor) -> Any:
        """What must be the same when the function runs again."""
        if not self.checks:
            return None
        return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}

    def unpack(self, holder: _Holder) -> Tensor:
        """The tensor for a place-holder, computed if this backward pass has not done it yet."""
        running = backward_mode.running
        gathered: dict[Any, Any] = {}
        if running is not None:
            gathered = running.gathered = running.gathered or {}
        found: Any = gathered.get(self)
        if found is None:
            found = gathered[self] = weakref.WeakKeyDictionary()
            self.partial = self.partial or not self.complete
            self.run_again(found)
        if holder not in found:
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already "
                "unpacked once. If you are calling ctx.saved_tensors in backward, make sure to do "
                "so only once: what was computed again is freed once it has been used."
            )
        tensor: Tensor = found.pop(holder)
        return tensor

    def run_again(self, found: Any) -> None:
        """Run the function once more, and put what it saves into `found`."""
        saved, differing = 0, []
        second_run: list[str] | None = None if self.first_run is None else []

        def pack(tensor: Tensor) -> Tensor:
            nonlocal saved
            number, saved = saved, saved + 1
            if number >= len(self.holders):
                if self.partial:
                    return tensor
                raise CheckpointError(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation "
                    "than during the original forward pass." + self.told_by_debug(second_run)
                )
            reference, told = self.holders[number]
            holder = reference()
            if holder is not None:
                found[holder] = tensor
                if told != self.told(tensor):
                    differing.append(
                        f"tensor at position {number}:\nsaved metadata: {told}\n"
                        f"recomputed metadata: {self.told(tensor)}\n"
                    )
            if self.early_stop and saved == len(self.holders):
                raise _Stop
            return tensor

        with contextlib.suppress(_Stop):
            hooks = saved_tensors_hooks(pack, lambda kept: kept)
            self.call.again(self.context.saved_tensors, self.inside, hooks, _listing(second_run))
        if not self.partial:
            self.check(saved, differing, second_run)

    def check(self, saved: int, differing: list[str], second_run: list[str] | None) -> None:
        """Raise CheckpointError where the second run did not save what the first one did."""
        if saved != len(self.holders):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.holders)}\n"
                f"Number of tensors saved during recomputation: {saved}."
                + self.told_by_debug(second_run)
            )
        if differing:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have "
                "different metadata than during the forward pass.\n"
                + "".join(differing)
                + self.told_by_debug(second_run)
            )

    def told_by_debug(self, second_run: list[str] | None) -> str:
        """The operations of both runs, where they were listed."""
        if self.first_run is None or second_run is None:
            return ""
        return (
            "\nYou are seeing this error because you passed `debug=True` to checkpoint.\n"
            f"Operations of the original forward: {', '.join(self.first_run)}\n"
            f"Operations of the recomputation: {', '.join(second_run)}"
        )


class CheckpointFunction(Function):
    """The call of a checkpointed function with `use_reentrant`: nothing in it is recorded."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        """What the function returns."""
        if not any(each.requires_grad for each in _tensors(args)):
            warnings.warn(
                "None of the inputs have requires_grad=True. Gradients will be None",
                UserWarning, stacklevel=4,
            )  # fmt: skip
        ctx.call = _Call(function, args, (), preserve)
        ctx.save_for_backward(*_tensors(args))
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients that a backward pass through another run of the function leaves."""
        if backward_mode.running is not None and backward_mode.running.needed is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument."
            )
        leaves = [each.detach().requires_grad_(each.requires_grad) for each in ctx.saved_tensors]
        outputs = ctx.call.again(leaves)
        pairs = zip(outputs if isinstance(outputs, tuple) else (outputs,), grad_outputs,
                    strict=True)  # fmt: skip
        recorded = [p for p in pairs if isinstance(p[0], Tensor) and p[0].requires_grad]
        if not recorded:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        backward([output for output, _ in recorded], [gradient for _, gradient in recorded])
        left = iter(leaves)
        return None, None, *[next(left).grad if each is None else None for each in ctx.call.rest]


def _chosen(use_reentrant: bool | None, name: str) -> bool:
    """Which variant was asked for; a warning where none was."""
    if use_reentrant is None:
        warnings.warn(
            f"torch.utils.checkpoint{name}: the use_reentrant parameter should be passed "
            "explicitly. use_reentrant=False is recommended; without it this is the older "
            "variant, use_reentrant=True.",
            UserWarning, stacklevel=3,
        )  # fmt: skip
    return use_reentrant is not False


def _refuse(unknown: Iterable[str]) -> None:
    if unknown:
        raise ValueError("Unexpected keyword arguments: " + ",".join(unknown))


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = _noop_context_fn, determinism_check: str = "default",
    debug: bool = False, early_stop: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """What `function` returns; backward runs it again, so that little is kept until then.

    The random numbers are the same again (`preserve_rng_state=False`: other ones).
    `context_fn()` gives two context managers, for the first run and for the others. Unless
    `determinism_check` is "none", CheckpointError is raised where tensors of another shape or type
    are saved the second time, and in any case where their number is another. ValueError for
    arguments that `use_reentrant` does not take. With `debug` errors list the operations of both.

    >>> x = torch.ones(2, requires_grad=True)
    >>> torch.utils.checkpoint.checkpoint(torch.exp, x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([2.7183, 2.7183])
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if _chosen(use_reentrant, ""):
        _refuse(kwargs)
        if context_fn is not _noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}"
        )
    first, again = context_fn()
    if not is_grad_enabled():
        return function(*args, **kwargs)
    given = (*args, *kwargs.values())
    frame = _Frame(
        _Call(function, given, tuple(kwargs), preserve), given, again,
        determinism_check == "default", _last(_early_stop, early_stop), _last(_debug, debug),
    )  # fmt: skip
    with saved_tensors_hooks(frame.pack, frame.unpack), first, _listing(frame.first_run):
        result = function(*args, **kwargs)
    frame.complete = True
    return result


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]], segments: int, input: Any,
    use_reentrant: bool | None = None, **kwargs: Any,
) -> Any:  # fmt: skip
    """`functions`, an `nn.Sequential` or a list, one after the other, in so many checkpoints.

    The last segment runs without one.

    >>> x = torch.ones(2, requires_grad=True)
    >>> steps = [torch.exp, torch.sin, torch.tanh]
    >>> y = torch.utils.checkpoint.checkpoint_sequential(steps, 2, x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([-2.1031, -2.1031])
    """
    reentrant = _chosen(use_reentrant, ".checkpoint_sequential")
    preserve = kwargs.pop("preserve_rng_state", True)
    _refuse(kwargs)
    steps = list(functions)
    size = len(steps) // segments

    def part(steps: list[Callable[..., Any]]) -> Callable[[Any], Any]:
        def run(input: Any) -> Any:
            for step in steps:
                input = step(input)
            return input

        return run

    last = size * (segments - 1)
    for start in range(0, last, size or 1):
        input = checkpoint(
            part(steps[start : start + size]), input, use_reentrant=reentrant,
            preserve_rng_state=preserve,
        )  # fmt: skip
    return part(steps[last:])(input)
