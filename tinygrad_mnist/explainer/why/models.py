"""The answer for a model: which of its parameters do not learn, and why."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn import Module, Parameter

from .memory import Call, Memory
from .reason import Reason, at
from .tensors import of_tensor
from .traces import link
from .walks import Walk
from .words import answer

_FIRST = ("forward_not_finite", "backward_not_finite", "empty", "bad_data")
"""Told before all others: everything behind it is NaN. What was frozen, on purpose perhaps, is told
last, and of the others first what concerns most parameters."""
_NAMED = 4
"""Parameters that are named; others are counted."""


def of_model(model: Any, loss: Any, optimizer: Any, memory: Memory | None) -> Reason:
    """The first reason why a model, or a part of it, does not learn; the others in `also`."""
    parameters = list(model.named_parameters())
    if not parameters:
        return next(_kept_elsewhere(model), answer("no_parameter", "This model has no parameters."))
    if memory is not None:
        memory.layers = {id(layer): name for name, layer in model.named_modules()}
    grouped: dict[tuple[str, Any], tuple[list[str], Reason]] = {}
    for name, parameter in parameters:
        reason = of_parameter(parameter, loss, optimizer, memory)
        key = (reason.cause, reason.line)
        grouped.setdefault(key, ([], reason))[0].append(name)
    learns = [names for (cause, _), (names, reason) in grouped.items() if reason.learns]
    count = sum(map(len, learns))
    sick = [(names, reason) for names, reason in grouped.values() if not reason.learns]
    sick.sort(
        key=lambda pair: (pair[1].cause not in _FIRST, pair[1].cause == "frozen", -len(pair[0]))
    )
    wrong = [_about(names, reason, len(parameters)) for names, reason in sick]
    wrong += [*_kept_elsewhere(model), *_in_the_loss(loss, memory)]
    if not wrong:
        return answer("nothing", f"Nothing is wrong with the gradients: all {count} parameters "
                      "have one that is finite and not zero.", learns=True)  # fmt: skip
    first, *others = wrong
    return dataclasses.replace(first, also=(*first.also, *others))


def of_parameter(parameter: Any, loss: Any, optimizer: Any, memory: Memory | None) -> Reason:
    """Why a parameter does not learn: its gradient, or what the optimiser does with it."""
    reason = of_tensor(parameter, loss, memory)
    if not reason.learns:
        return reason
    found = None if optimizer is None else _in_optimizer(parameter, optimizer)
    return found or _of_steps(parameter, memory, 2 if optimizer is None else 1) or reason


def _in_optimizer(parameter: Any, optimizer: Any) -> Reason | None:
    """Why a step of the optimiser changes nothing."""
    this = f"This parameter of shape {list(parameter._array.shape)} has a gradient"
    group = next((g for g in optimizer.param_groups if any(parameter is p for p in g["params"])),
                 None)  # fmt: skip
    if group is None:
        text = f"{this}, but the optimiser was not given it: it never changes."
        return answer("not_in_optimizer", text)
    lr = float(group.get("lr", 1))
    if lr == 0:
        return answer("lr_zero", f"{this}, but the learning rate of its group is 0.")
    array, grad = parameter._array, parameter.grad._array
    step = grad.dtype.type(lr) * grad
    if type(optimizer).__name__ == "SGD" and np.array_equal(array - step, array):
        text = (
            f"{this} so small (up to {float(np.abs(grad).max()):.3g} in size) that a step of lr ="
        )
        text += f" {lr:g} is lost in rounding: w − lr · g is w in {array.dtype}."
        return answer("too_small", text)
    return None


def _of_steps(parameter: Any, memory: Memory | None, passes: int) -> Reason | None:
    """Whether no step changed a parameter in so many passes, or a step kept its old gradient."""
    call = None if memory is None else memory.call_of(parameter)
    if memory is None or call is None or not call.graded:
        return None
    record: Any = current_record(parameter)
    walks = [walk for walk in memory.passes if record in walk.consumers and not walk.by_grad]
    this = f"This parameter of shape {list(parameter._array.shape)}"
    stepped = isinstance(parameter, Parameter) or passes == 1
    if len(walks) >= passes and stepped and not _changed(call, walks[0], None):
        text = f"{this} has a gradient, and nothing has changed it since the first backward(): no"
        text += " step was taken (`optimizer.step()`), or it made new tensors, as `p = p - …` does."
        return answer("no_step", text)
    for before, walk, after in zip(walks, walks[1:], [*walks[2:], None], strict=False):
        kept = record in walk.added and _changed(call, before, walk)
        if kept and (_changed(call, walk, after) or (after is not None and record in after.added)):
            text = f"{this} learns from gradients that add up: backward(){at(walk.line)} added to"
            return answer("accumulated", f"{text} the gradient of the step before.", line=walk.line)
    return None


def _changed(call: Call, after: Walk, before: Walk | None) -> bool:
    """Whether a leaf was changed in place between two passes."""
    end = math.inf if before is None else before.when
    return any(after.when < when <= end for when in call.changes)


def _about(names: list[str], reason: Reason, count: int) -> Reason:
    """A reason with the names of the parameters that it is about."""
    told = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
    text = reason.paragraph
    for this in ("this tensor", "This tensor", "This parameter"):
        text = text.replace(this, f"`{names[0]}`")
    return dataclasses.replace(
        reason, paragraph=f"{len(names)} of {count} parameters ({told}): {text}"
    )


def _kept_elsewhere(model: Any) -> Iterator[Reason]:
    """What a module holds where its parameters are not looked for."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_"):
                continue
            held = value if isinstance(value, list | tuple) else [value]
            held = list(value.values()) if isinstance(value, dict) else held
            found = [each for each in held if _could_learn(each)]
            if found:
                kind = type(found[0]).__name__
                told = f"a {kind}" if found[0] is value else f"a {type(value).__name__} of {kind}s"
                text = f"`{path}{'.' * bool(path)}{name}` is {told}, which `parameters()` does not"
                yield answer("no_parameter", f"{text} find: the optimiser is not given it.")


def _could_learn(value: Any) -> bool:
    if isinstance(value, Module):
        return any(True for _ in value.parameters())
    return isinstance(value, Tensor) and value.requires_grad and value.is_leaf


_TWICE = {
    "log_softmax": ("softmax", "log_softmax"),
    **dict.fromkeys(("log_sigmoid", "binary_cross_entropy_with_logits"), ("sigmoid",)),
}
"""What losses apply to raw scores, and what must not have been applied before."""
_NOT_LOGARITHMS = ("softmax", "sigmoid", "linear", "relu", "conv2d")


def _in_the_loss(loss: Any, memory: Memory | None) -> Iterator[Reason]:
    """What may be wrong with the loss, though gradients arrive."""
    walk = None if memory is None or not memory.passes else memory.passes[-1]
    root = None if loss is None else current_record(loss)
    order = topological_order([root]) if root is not None else [] if walk is None else walk.order
    for record in order:
        inside: Any = record.inputs[0] if record.inputs else None
        if inside is None or inside.primitive is None:
            continue
        name, before = record.primitive.name, inside.primitive.name
        line = link(record, memory).line
        where = at(line)
        if before in _TWICE.get(name, ()):
            text = f"{before} is applied twice{where}: the loss applies {name} itself, to what has"
            yield answer("applied_twice", f"{text} been through {before} already.", line=line)
        elif name == "nll_loss" and before in _NOT_LOGARITHMS:
            text = f"`nll_loss` takes logarithms of probabilities{where}, and was given what"
            yield answer("no_logarithm", f"{text} {before} gives.", line=line)
