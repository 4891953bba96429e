"""Optimizer: what all optimisers share, from parameter groups to saved state."""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import tensor, zeros_like
from tinygrad_mnist.autograd import enable_grad, no_grad
from tinygrad_mnist.engine.observer import note_untraceable

from .hooks import OptimizerHooks, passed_on
from .hooks import register_optimizer_step_post_hook as register_optimizer_step_post_hook
from .hooks import register_optimizer_step_pre_hook as register_optimizer_step_pre_hook

Group = dict[str, Any]
StateDict = dict[str, Any]
Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Loss = TypeVar("Loss")


class _Required:
    """Stands for a default that each parameter group must give itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def to_scalar(value: Any) -> Any:
    """The number in a tensor of one element; other values as they are."""
    if not isinstance(value, Tensor):
        return value
    note_untraceable("a setting of the optimiser is a tensor")
    return value.detach()._array.item()


def read_settings(given: dict[str, Any], names: str, checks: str) -> dict[str, Any]:
    """The settings called `names`, in this order, of a constructor's `locals()`.

    Those called `checks` must be in PyTorch's range: the first that is not raises ValueError.
    """
    for name in checks.split():
        value = given[name]
        if name == "lr":
            check_lr(value)
        elif name == "betas":
            _check_betas(value, given["capturable"], given["foreach"])
        elif not value >= 0.0:
            raise ValueError(f"Invalid {'epsilon' if name == 'eps' else name} value: {value}")
    if given["differentiable"]:
        raise NotImplementedError(
            "an optimiser with differentiable=True is not supported: write the update as tensor "
            "operations, and ask autograd.grad(..., create_graph=True) for the gradients"
        )
    return {name: given[name] for name in names.split()}


def check_lr(lr: float | Tensor) -> None:
    """ValueError unless the learning rate is a number, or a tensor of one, of at least zero."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_tensor_setting(name: str, value: Any, capturable: bool, foreach: bool | None) -> None:
    """PyTorch's ValueErrors for a setting that comes in a tensor."""
    if not isinstance(value, Tensor):
        return
    if foreach and not capturable:
        raise ValueError(
            f"{name} as a Tensor is not supported for capturable=False and foreach=True"
        )
    if value.numel() != 1:
        raise ValueError(f"Tensor {name} must be 1-element")


def _check_betas(betas: tuple[Any, Any], capturable: bool, foreach: bool | None) -> None:
    for index, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for index, beta in enumerate(betas):
        check_tensor_setting(f"betas[{index}]", beta, capturable, foreach)


_COUNTS = frozenset(("step", "eta", "mu", "mu_product"))
"""What states hold as tensors of one number."""


def _count_dtype() -> dtypes.dtype:
    default = dtypes.get_default_dtype()
    return default if default is dtypes.float64 else dtypes.float32


def start_state(state: dict[str, Any], param: Tensor, *zeros: str) -> None:
    """Fill a parameter's state: the count of steps, a float tensor, and zeros in its shape."""
    state["step"] = tensor(0.0, dtype=_count_dtype())
    for name in zeros:
        state[name] = zeros_like(param, requires_grad=False)


def decayed(param: Tensor, grad: Tensor, group: Group) -> Tensor:
    """The gradient, negated by `maximize`, with weight decay; decoupled, that shrinks `param`."""
    decay = group["weight_decay"]
    if group["maximize"]:
        grad = -grad
    if decay != 0 and group.get("decoupled_weight_decay"):
        param.mul_(1 - to_scalar(group["lr"]) * decay)
    elif decay != 0:
        grad = grad.add(param, alpha=decay)
    return grad


class Optimizer(OptimizerHooks):
    """Parameters in groups, each with its settings, and a state for each parameter.

    A subclass gives `_update`, which changes one parameter by its gradient, or `step` itself.
    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts: each dict is a
    group with "params" and the settings in which it differs from `defaults`. Raises TypeError
    and ValueError for parameters that cannot be optimised, and ValueError for settings out of
    range.

    Settings that optimisers share: `weight_decay` λ adds λ · p to the gradient, or, where
    `decoupled_weight_decay`, takes lr · λ · p from the parameter; `maximize` goes up along the
    gradient instead of down; `foreach` and `fused` choose how PyTorch computes the same numbers
    and change nothing here; `capturable` and `differentiable` are refused.
    """

    defaults: dict[str, Any]
    state: defaultdict[Any, dict[str, Any]]
    param_groups: list[Group]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self._start_hooks()
        self.defaults = defaults
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {params.type()}"
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Optimise the tensors in `param_group["params"]` too, with the settings beside them.

        Raises ValueError when a parameter is in a group already, or is not a leaf.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _read_params(param_group)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        self._check_params(param_group)
        self.param_groups.append(param_group)

    def _check_params(self, param_group: Group) -> None:
        params, named = param_group["params"], "param_names" in param_group
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; "
                "in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=4,
            )
        for group in self.param_groups:
            if named != ("param_names" in group):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {'with names' if named else 'without names'} to the optimizer"
                )
            if not set(group["params"]).isdisjoint(params):
                raise ValueError("some parameters appear in more than one parameter group")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        `closure`, if given, computes the loss and its gradients first; its loss is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                if group.get("capturable"):
                    raise AssertionError(
                        "If capturable=True, params and state_steps must be on supported devices: "
                        "['cuda', 'xpu', 'hpu', 'privateuseone', 'xla']."
                    )
                for param in group["params"]:
                    grad = param.grad
                    if grad is not None:
                        self._update(param, grad, group)
        return loss

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        """Change one parameter by its gradient, under the settings of its group."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad.detach_().requires_grad_(False).zero_()

    def state_dict(self) -> StateDict:
        """The state and the settings, the parameters replaced by their numbers.

        >>> weight = torch.ones(2, requires_grad=True)
        >>> torch.optim.SGD([weight], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        for hook in self._state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups: list[Group] = []
        for group in self.param_groups:
            start = sum(len(packed["params"]) for packed in groups)
            for number, param in enumerate(group["params"], start):
                numbers.setdefault(id(param), number)
            packed = {key: value for key, value in group.items() if key != "params"}
            groups.append({**packed, "params": [numbers[id(p)] for p in group["params"]]})
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        return passed_on(
            self._state_dict_post_hooks, self, {"state": state, "param_groups": groups}
        )

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Take over what `state_dict` of an optimiser with groups of the same sizes gave.

        Raises ValueError when the groups do not match.
        """
        state_dict = passed_on(self._load_state_dict_pre_hooks, self, state_dict.copy())
        saved_groups = copy.deepcopy(state_dict["param_groups"])
        if len(self.param_groups) != len(saved_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        params: dict[int, Any] = {}
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
            params.update(zip(saved["params"], group["params"], strict=True))
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for number, value in state_dict["state"].items():
            if number in params:
                state[params[number]] = _fit(params[number], value)
            else:
                state[number] = value
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("defaults", "state", "param_groups")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_step_pre_hooks" not in self.__dict__:
            self._start_hooks()
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)
            for param in group["params"]:
                kept = self.state.get(param, {})
                for name in _COUNTS & kept.keys():
                    if not isinstance(kept[name], Tensor):  # as states of older versions have them
                        kept[name] = tensor(float(kept[name]), dtype=_count_dtype())

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"


def _read_params(group: Group) -> None:
    """Make a list of tensors of `group["params"]`, and of names where they come with names."""
    params = group["params"]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    given = [params] if isinstance(params, Tensor) else list(params)
    names = [each[0] for each in given if isinstance(each, tuple)]
    group["params"] = [each[1] if isinstance(each, tuple) else each for each in given]
    if names and len(names) != len(given):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    if names:
        group["param_names"] = names
    for param in group["params"]:
        if not isinstance(param, Tensor):
            raise TypeError(
                "optimizer can only optimize Tensors, but one of the params is "
                f"{type(param).__name__}"
            )
        if not param.is_leaf and not param.retains_grad:
            raise ValueError("can't optimize a non-leaf Tensor")


def _fit(param: Tensor, value: Any, key: str | None = None) -> Any:
    """A copy of a parameter's state, its tensors (save the step count) in the parameter's type."""
    if isinstance(value, Tensor):
        return value if key == "step" or not param.is_floating_point() else value.to(param.dtype)
    if isinstance(value, dict):
        return {name: _fit(param, each, name) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(_fit(param, each) for each in value)
    return value
