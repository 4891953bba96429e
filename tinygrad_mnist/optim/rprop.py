"""Rprop: steps by the gradient's sign, longer while it stays and shorter when it turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_mnist._tensor import full_like, zeros_like

from .optimizer import (
    Group,
    Optimizer,
    check_lr,
    new_step_count,
    refuse_differentiable,
    to_scalar,
)


class Rprop(Optimizer):
    """p ← p − s · sign(g), s multiplied by the second of `etas` while g keeps its sign.

    Where g has turned, s is multiplied by the first of `etas` and p stays. s starts at `lr` and
    keeps between `step_sizes`. `maximize` climbs. `foreach` changes nothing here. Raises
    ValueError for settings out of range. It is meant for gradients of all data, not of batches.

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: The RPROP
    algorithm" (1993).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        refuse_differentiable(differentiable)
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _update(self, param: Any, grad: Any, group: Group) -> None:
        state = self.state[param]
        if not state:
            state["step"] = new_step_count()
            state["prev"] = zeros_like(param, requires_grad=False)
            state["step_size"] = full_like(param, to_scalar(group["lr"]), requires_grad=False)
        state["step"] += 1
        if group["maximize"]:
            grad = -grad
        shorter, longer = group["etas"]
        agreement = grad * state["prev"]
        turned = agreement < 0
        factor = full_like(grad, 1.0)
        factor[agreement > 0] = longer
        factor[turned] = shorter
        step_size = state["step_size"].mul_(factor).clamp_(*group["step_sizes"])
        grad = grad.masked_fill(turned, 0.0)
        param.addcmul_(grad.sign(), step_size, value=-1)
        state["prev"].copy_(grad)
