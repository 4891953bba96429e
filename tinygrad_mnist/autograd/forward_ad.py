"""Derivatives in forward mode: dual tensors, which carry a tangent through each operation.

A formula of the table gives the gradient of an input for the gradient g of the result: it is linear
in g, g ↦ Jᵀg. Its own derivative by g is therefore the map t ↦ J t, the tangent of the result for
the tangent of the input: the one table of derivatives serves both directions.

>>> import tinygrad_mnist.autograd.forward_ad as fwAD
>>> with fwAD.dual_level():
...     dual = fwAD.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
...     fwAD.unpack_dual(dual * dual).tangent
tensor([2., 0.])

A level is an observer of all calls. It knows tangents by the arrays of their tensors, so that what
an operation saved, and what shares an array, has them too. Levels lie inside each other: a tangent
is computed under the eyes of the outer ones.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.backward_pass import run_backward
from tinygrad_mnist.engine.memory import memory_of
from tinygrad_mnist.engine.modes import GradMode, backward_mode, is_grad_enabled
from tinygrad_mnist.engine.observer import OBSERVERS, detached, observe
from tinygrad_mnist.engine.primitive import no_derivative
from tinygrad_mnist.engine.tensor import Step, Tensor, TensorBase, wrap
from tinygrad_mnist.engine.unbroadcast import unbroadcast
from tinygrad_mnist.engine.views import detached_from_base

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
    "unpack_dual",
]  # fmt: skip


class Level:
    """The tangents of one derivative; an observer of the calls inside its `with` block."""

    def __init__(self) -> None:
        self.outside: Any = None
        self._tangents: dict[int, tuple[weakref.ref[Array], Tensor]] = {}

    def __enter__(self) -> Level:
        self.outside = OBSERVERS.get(threading.get_ident())
        observe.set(self)
        self._walks = backward_mode.on_tensors
        backward_mode.on_tensors = True
        backward_mode.levels.append(self)
        return self

    def __exit__(self, *details: object) -> None:
        backward_mode.levels.remove(self)
        backward_mode.on_tensors = self._walks
        observe.set(self.outside)
        self._tangents.clear()

    def tangent(self, tensor: TensorBase) -> Tensor | None:
        """The tangent of a tensor; of a view also what its base's tangent says."""
        known = self._tangents.get(id(tensor._array))
        if known is not None or tensor._view is None:
            return None if known is None else known[1]
        base, _, steps, _ = tensor._view
        above = self.tangent(base)
        if above is not None:
            with observe(self.outside):
                self.set(tensor, _followed(above, steps))
            return self.tangent(tensor)
        return None

    def set(self, tensor: TensorBase, tangent: Tensor | None) -> None:
        """Give a tensor a tangent, or take it away."""
        tangents, key = self._tangents, id(tensor._array)
        tangents.pop(key, None)
        if tangent is not None:
            known = weakref.ref(tensor._array, lambda _: tangents.pop(key, None))
            tangents[key] = known, tangent

    def __call__(
        self, op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Any
    ) -> None:
        """An operation was called: give its result the tangent that it has by those of inputs."""
        if op is detached and attributes.get("by") != "torch.tensor":
            output._array = output._array[...]
        if self.outside is not None:
            self.outside(op, inputs, attributes, output)
        if not self._tangents or output is None or output._array.dtype.kind != "f":
            return
        tangents = [self.tangent(x) if isinstance(x, TensorBase) else None for x in inputs]
        if op is detached or all(each is None for each in tangents):
            return
        if not backward_mode.forward:
            return
        with observe(self.outside):
            if op.view and len(inputs) == 1:
                self.set(output, op(tangents[0], **attributes))
                return
            found = pushed(op, inputs, attributes, output, tangents)
            if found is None and op.formulas:
                found = wrap(np.zeros_like(output._array))
            if output is inputs[0]:
                self._write(output, found)
            elif found is not None:
                self.set(output, _alone(found, output, tangents))
            self._note_promoted(inputs, tangents, output._record)

    def _write(self, target: Tensor, tangent: Tensor | None) -> None:
        """Write the tangent of a tensor that was changed in place, which its views share."""
        own = self.tangent(target)
        if tangent is None:
            tangent = wrap(np.zeros_like(target._array))
        if own is None and target._view is not None:
            base = target._view[0]
            self.set(base, wrap(np.zeros_like(base._array)))
            own = self.tangent(target)
        if own is None:
            self.set(target, tangent.clone())
        else:
            own.copy_(tangent)

    def _note_promoted(self, inputs: Any, tangents: list[Any], record: Any) -> None:
        """Give what was saved of an input in another type the tangent in that type."""
        for which, tangent in enumerate(tangents if record is not None else ()):
            saved = record.saved[which] if which < len(record.saved) else None
            array = None if tangent is None or saved is None else saved[0]
            if isinstance(array, np.ndarray) and array is not inputs[which]._array:
                kept = wrap(array)
                self.set(kept, tangent.to(kept.dtype))


def _followed(tensor: Tensor, step: Step | None) -> Tensor:
    """The view of a base's tangent to which the steps lead."""
    if step is None:
        return tensor
    before, op, attributes = step
    above = _followed(tensor, before)
    made: Tensor = op(above, **attributes) if getattr(op, "view", False) else above
    return made


def _alone(tangent: Tensor, output: Tensor, others: list[Any]) -> Tensor:
    """A tangent in memory of its own, laid out like the result."""
    if any(each is not None and np.may_share_memory(each._array, tangent._array)
           for each in others):  # fmt: skip
        tangent = tangent.clone()
    return tangent.contiguous() if output._array.flags.c_contiguous else tangent


def pushed(
    op: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], output: Tensor,
    tangents: list[Any],
) -> Tensor | None:  # fmt: skip
    """The tangent of a result, the sum over the inputs of J t; None where nothing depends."""
    total = None
    for position, tangent in enumerate(tangents):
        if tangent is None or not op.formulas:
            continue
        formula = op.formula(position)
        if formula is None or formula.function.__name__ == no_derivative.__name__:
            raise NotImplementedError(
                f"Trying to use forward AD with {op.name} that does not support it because it has "
                "not been implemented yet: its derivative by this input is not known"
            )
        known = {**attributes, "shape": inputs[position]._array.shape, "position": position}
        keywords = {name: known[name] for name in formula.keywords}
        part = _transposed((op, inputs, attributes, output), position, formula, keywords, tangent)
        if part is not None:
            total = part if total is None else total + part
    return total


def _transposed(
    call: Any, position: int, formula: Any, keywords: dict[str, Any], tangent: Tensor
) -> Tensor | None:
    """J t, as the derivative of the formula g ↦ Jᵀg in the direction t."""
    _, inputs, _, output = call
    recorded = is_grad_enabled()
    with GradMode(True):
        probe: Any = wrap(np.zeros(output._array.shape, output._array.dtype)).requires_grad_()
        values = [_given(call, which) for which in formula.saved]
        found = formula.function(_restored(call, probe), *values, **keywords)
        pulled = unbroadcast(found, inputs[position]._array)
    if pulled._record is None:
        return None
    arrived = run_backward(
        [(pulled._record, tangent)], keep_graph=False, create_graph=recorded,
        inputs={probe._record}, accumulate=False,
    )  # fmt: skip
    return arrived.get(probe._record)


def _given(call: Any, which: int) -> Any:
    """An input of a call, or its result, as a formula gets it."""
    _, inputs, _, output = call
    if which == len(inputs):
        return _restored(call, output)
    given = inputs[which]
    as_it_is = isinstance(given, TensorBase) or given is None or len(inputs) == 2
    return given if as_it_is else wrap(np.asarray(given, output._array.dtype))


def _restored(call: Any, tensor: Any) -> Any:
    """The result of a reduction with the dimensions that it lacks."""
    op, inputs, attributes, _ = call
    if not op.reduces or attributes["keepdim"]:
        return tensor
    sizes = enumerate(inputs[0]._array.shape)
    return tensor.reshape([1 if d in attributes["dim"] else size for d, size in sizes])


# What users call


_levels: list[Level] = []
"""The level of `dual_level`: there can be one."""


class UnpackedDualTensor(NamedTuple):
    """The two tensors of a dual one."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin to carry tangents; RuntimeError where that has begun already. Its number is 0."""
    if _levels:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment: exit the dual level first, or "
            "nest torch.func.jvp"
        )
    _levels.append(Level().__enter__())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End what `enter_dual_level` began: tangents are forgotten."""
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This "
            "is not supported."
        )
    _levels.pop().__exit__()


@contextlib.contextmanager
def dual_level() -> Iterator[int]:
    """A level for the `with` block: tensors made dual in it lose their tangents at its end."""
    try:
        yield enter_dual_level()
    finally:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor that shares the memory of `tensor` and has this tangent.

    Raises ValueError where one of them is no float's, RuntimeError for a tangent of another size
    and where there is no level.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for name, given in (("primal", tensor), ("tangent", tangent)):
        if not given.is_floating_point():
            raise ValueError(
                f"Expected {name} to be floating point or complex, but got: {given.dtype}"
            )
    return with_tangent(_levels[-1], tensor, tangent)


def with_tangent(level: Level, tensor: Tensor, tangent: Tensor) -> Tensor:
    """`make_dual` at any level."""
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}."
        )
    if level.tangent(tangent) is not None:
        raise RuntimeError(
            "Cannot set a tangent that itself has a forward gradient at the same level"
        )
    if tangent.dtype != tensor.dtype:
        tangent = tangent.to(tensor.dtype)
    tangent = _laid_out_as(tensor, tangent)
    dual = _aliased(level, tensor)
    level.set(dual, tangent)
    return dual


def _laid_out_as(tensor: Tensor, tangent: Tensor) -> Tensor:
    """The tangent, or a copy of it in a row of memory like the one that the tensor lies in."""
    (row, start), own = memory_of(tensor._array), memory_of(tangent._array)
    if tensor.stride() == tangent.stride() and (len(row), start) == (len(own[0]), own[1]):
        return tangent
    memory = wrap(np.zeros(row.shape, row.dtype))
    laid_out = memory.as_strided(tensor.shape, tensor.stride(), start)
    return detached_from_base(laid_out.copy_(tangent))


def _aliased(level: Level, tensor: Tensor) -> Tensor:
    """The same numbers and record, without a tangent at this level."""
    with observe(level.outside):
        alias = tensor.view_as(tensor)
    if alias._array is tensor._array:
        alias._array = tensor._array[...]
    alias._view = None
    return alias


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor without its tangent, and the tangent; None where it has none."""
    return UnpackedDualTensor(*unpacked(_levels[-1], tensor) if _levels else (tensor, None))


def unpacked(level: Level, tensor: Tensor) -> tuple[Tensor, Tensor | None]:
    """`unpack_dual` at any level."""
    return _aliased(level, tensor), level.tangent(tensor)


class _set_fwd_grad_enabled:
    """Whether tangents are carried on; a context manager restores what was before."""

    def __init__(self, mode: bool) -> None:
        self.previous, backward_mode.forward = backward_mode.forward, mode

    def __enter__(self) -> None:
        """The mode was set when the object was made."""

    def __exit__(self, *details: object) -> None:
        backward_mode.forward = self.previous


def _is_fwd_grad_enabled() -> bool:
    return backward_mode.forward


def __getattr__(name: str) -> Any:
    if name == "_current_level":
        return len(_levels) - 1
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
