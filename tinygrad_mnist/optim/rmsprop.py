"""RMSprop: gradients divided by the root of the running average of their squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_mnist._tensor import zeros_like

from .optimizer import (
    Group,
    Optimizer,
    check_lr,
    new_step_count,
    refuse_differentiable,
    to_scalar,
)


class RMSprop(Optimizer):
    """p ← p − lr · g / (√v + eps) where v ← α · v + (1 − α) · g², from zero.

    `centered` takes the square of the gradient's running average from v; with momentum μ the
    quotient q gathers in b ← μ · b + q, and p ← p − lr · b. `weight_decay` λ adds λ · p to the
    gradient; `maximize` climbs. `foreach` chooses how PyTorch computes the same numbers and
    changes nothing here. Raises ValueError for settings out of range.

    Tieleman and Hinton, "Lecture 6.5: rmsprop", Coursera (2012); centered: Graves, "Generating
    Sequences With Recurrent Neural Networks" (2013).

    >>> import tinygrad_mnist as torch
    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.RMSprop([weight], lr=0.01, alpha=0.99)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        settings = {"epsilon": eps, "momentum": momentum, "weight_decay": weight_decay}
        for name, value in {**settings, "alpha": alpha}.items():
            if not value >= 0.0:
                raise ValueError(f"Invalid {name} value: {value}")
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param: Any, group: Group) -> dict[str, Any]:
        state = self.state[param]
        state["step"] = new_step_count()
        state["square_avg"] = zeros_like(param)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(param)
        if group["centered"]:
            state["grad_avg"] = zeros_like(param)
        return state

    def _update(self, param: Any, grad: Any, group: Group) -> None:
        state = self.state[param] or self._new_state(param, group)
        alpha, lr = group["alpha"], to_scalar(group["lr"])
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        state["step"] += 1
        square = state["square_avg"]
        square.mul_(alpha).add_(grad * grad, alpha=1 - alpha)
        if group["centered"]:
            average = state["grad_avg"]
            average.mul_(alpha).add_(grad, alpha=1 - alpha)
            square = square - average * average
        root = square.sqrt().add_(group["eps"])
        if group["momentum"] > 0:
            quotients = state["momentum_buffer"]
            quotients.mul_(group["momentum"]).add_(grad / root)
            param.add_(quotients, alpha=-lr)
        else:
            param.add_(grad / root, alpha=-lr)
