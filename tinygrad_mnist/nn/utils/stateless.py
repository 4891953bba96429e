"""Calling a module with other parameters and buffers than its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.modules.module import Module

State = dict[str, Tensor]


def functional_call(
    module: Module, parameter_and_buffer_dicts: State | Sequence[State], args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """What the module gives with these parameters and buffers, by name, in place of its own.

    `args` is an argument or a tuple of them. What the module writes into a buffer goes to the one
    that was given. With `tie_weights` a tensor given for one of two names of a parameter counts
    for both; with `strict` all names must be given, and no others, which are left alone without.
    Raises ValueError for a name given twice, RuntimeError where names are not as `strict` asks.

    >>> linear = torch.nn.Linear(2, 1, bias=False)
    >>> torch.func.functional_call(linear, {"weight": torch.ones(1, 2)}, torch.ones(3, 2))
    tensor([[2.],
            [2.],
            [2.]])
    """
    given = _merged(parameter_and_buffer_dicts)
    own = {**dict(module.named_parameters(remove_duplicate=False)),
           **dict(module.named_buffers(remove_duplicate=False))}  # fmt: skip
    swapped = _tied(own, given) if tie_weights else dict(given)
    if strict:
        _check_names(module, own, swapped)
    found = [(name, _place(module, name)) for name in swapped]
    places = [(name, *place, place[0][place[1]]) for name, place in found if place is not None]
    try:
        for name, store, key, _ in places:
            store[key] = swapped[name]
        arguments = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*arguments, **(kwargs or {}))
    finally:
        for name, store, key, before in places:
            if name in given and isinstance(parameter_and_buffer_dicts, dict):
                parameter_and_buffer_dicts[name] = store[key]
            store[key] = before


def _merged(dicts: Any) -> State:
    """One dictionary of all; ValueError for what is none, and for a name in two."""
    if isinstance(dicts, dict):
        return dicts
    if not isinstance(dicts, Sequence):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts)}"
        )
    if not all(isinstance(each, dict) for each in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    names = [name for each in dicts for name in each]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
            "ambiguous"
        )
    return {name: tensor for each in dicts for name, tensor in each.items()}


def _tied(own: State, given: State) -> State:
    """What is given, for all names of each tensor; ValueError where two names get two tensors."""
    names: dict[int, list[str]] = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    swapped = dict(given)
    for name, tensor in given.items():
        tied = names.get(id(own.get(name)), [name])
        if len({id(given[each]) for each in tied if each in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                "Consider using tie_weights=False"
            )
        swapped |= dict.fromkeys(tied, tensor)
    return swapped


def _check_names(module: Module, own: State, given: State) -> None:
    wrong = [
        f"{what} key(s): {', '.join(map(repr, sorted(names)))}."
        for what, names in (("Unexpected", given.keys() - own), ("Missing", own.keys() - given))
        if names
    ]
    if wrong:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(wrong)
        )


def _place(module: Module, name: str) -> tuple[dict[str, Any], str] | None:
    """Where the module, or one in it, has a tensor of this name, if it has one."""
    path, _, key = name.rpartition(".")
    owner = module.get_submodule(path)
    stores: tuple[dict[str, Any], ...] = (owner._parameters, owner._buffers)
    return next(((store, key) for store in stores if key in store), None)
