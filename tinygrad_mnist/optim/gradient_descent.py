"""Steps along the gradient or by its sign: SGD and Rprop."""

from __future__ import annotations

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import full_like

from .optimizer import Group, Optimizer, Params, check_lr, read_settings, start_state, to_scalar


class SGD(Optimizer):
    """p ← p − lr · g; with momentum μ, p ← p − lr · v where v ← μ · v + (1 − dampening) · g.

    `nesterov` steps along g + μ · v instead of v. The other settings: see `Optimizer`.

    Momentum's form is that of Sutskever et al., "On the importance of initialization and momentum
    in deep learning" (2013), as PyTorch writes it.

    >>> weight = torch.ones(2, requires_grad=True)
    >>> optimizer = torch.optim.SGD([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        names = "lr momentum dampening weight_decay nesterov maximize foreach differentiable fused"
        super().__init__(params, read_settings(locals(), names, checks=""))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=group["weight_decay"])
        momentum = group["momentum"]
        if momentum != 0:
            state = self.state[param]
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = grad.detach().clone()
            else:
                velocity.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(velocity, alpha=momentum) if group["nesterov"] else velocity
        param.add_(grad, alpha=-to_scalar(group["lr"]))


class Rprop(Optimizer):
    """p ← p − s · sign(g), s multiplied by the second of `etas` while g keeps its sign.

    Where g has turned, s is multiplied by the first of `etas` and p stays. s starts at `lr` and
    keeps between `step_sizes`. It is meant for gradients of all data, not of batches. The other
    settings: see `Optimizer`.

    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: The RPROP
    algorithm" (1993).
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        names = "lr etas step_sizes foreach maximize differentiable capturable"
        super().__init__(params, read_settings(locals(), names, checks=""))

    def _update(self, param: Tensor, grad: Tensor, group: Group) -> None:
        state = self.state[param]
        if not state:
            start_state(state, param, "prev")
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
