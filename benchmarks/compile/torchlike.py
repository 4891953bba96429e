"""The step as it is written for PyTorch, run by PyTorch and by this package alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch as pytorch

import tinygrad_mnist
from reference.models import MODELS as THEIRS
from tinygrad_mnist.app.models import MODELS as OURS

from .tasks import Contestant, Epoch, Task, each_batch

Step = Callable[[Any, Any], Any]


def forward(torch: Any, model: str, weights: list[Any], x: Any) -> Any:
    """The outcome of a model whose weights are given in order."""
    F = torch.nn.functional
    if model == "logistic":
        return x @ weights[0] + weights[1]
    if model == "mlp":
        return F.linear(F.relu(F.linear(x, *weights[:2])), *weights[2:])
    x = x.view(-1, 1, 28, 28)
    for n in (0, 2, 4):
        x = F.relu(F.conv2d(x, weights[n], weights[n + 1], stride=2, padding=1))
    return F.avg_pool2d(x, 4).view(-1, 10)


def first_weights(torch: Any, task: Task, device: str) -> list[Any]:
    """Tensors of their own, as the task begins."""
    return [torch.from_numpy(array.copy()).to(device) for array in task.weights.values()]


def functional(torch: Any, task: Task, device: str = "cpu") -> Step:
    """Tensors that require gradients, `nn.functional`, an update by hand."""
    weights = [w.requires_grad_() for w in first_weights(torch, task, device)]
    speeds = [torch.zeros_like(w) for w in weights]
    F = torch.nn.functional

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(forward(torch, task.model, weights, x), y)
        loss.backward()
        with torch.no_grad():
            for w, speed in zip(weights, speeds, strict=True):
                if task.momentum:
                    speed.mul_(task.momentum).add_(w.grad)
                    w.sub_(speed, alpha=task.lr)
                else:
                    w.sub_(w.grad, alpha=task.lr)
                w.grad = None
        return loss.detach()

    return step


def module(torch: Any, models: dict[str, Callable[[], Any]], task: Task) -> tuple[Any, Any]:
    """A module with the task's weights, and its optimiser."""
    model = models[task.model]()
    with torch.no_grad():
        for p, array in zip(model.parameters(), task.weights.values(), strict=True):
            p.copy_(torch.from_numpy(array))
    return model, torch.optim.SGD(model.parameters(), lr=task.lr, momentum=task.momentum)


def with_optimizer(torch: Any, loss_of: Step, update: Callable[[], Any], zero: Any) -> Step:
    """The step of a module and an optimiser."""

    def step(x: Any, y: Any) -> Any:
        loss = loss_of(x, y)
        loss.backward()
        update()
        zero()
        return loss.detach()

    return step


def module_step(torch: Any, models: dict[str, Callable[[], Any]], task: Task) -> Step:
    """`nn.Module` and `optim.SGD`."""
    model, optimizer = module(torch, models, task)

    def loss_of(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(x), y)

    return with_optimizer(torch, loss_of, optimizer.step, optimizer.zero_grad)


def over(torch: Any, task: Task, step: Step, device: str = "cpu") -> Epoch:
    """The epoch of a step that takes tensors; they lie on the device from the beginning."""
    xs, ys = ([torch.from_numpy(each).to(device) for each in part] for part in (task.x, task.y))
    return each_batch(step, xs, ys)


def compiled_whole(task: Task, device: str = "cpu") -> Epoch:
    """`torch.compile` of the whole step, its gradients taken by `torch.func`."""
    weights = first_weights(pytorch, task, device)
    speeds = [pytorch.zeros_like(w) for w in weights]
    F = pytorch.nn.functional

    def loss_of(weights: list[Any], x: Any, y: Any) -> Any:
        return F.cross_entropy(forward(pytorch, task.model, weights, x), y)

    @pytorch.compile(fullgraph=True, dynamic=False)
    def step(weights: list[Any], speeds: list[Any], x: Any, y: Any) -> Any:
        grads, loss = pytorch.func.grad_and_value(loss_of)(weights, x, y)
        for w, speed, grad in zip(weights, speeds, grads, strict=True):
            if task.momentum:
                speed.mul_(task.momentum).add_(grad)
                w.sub_(speed, alpha=task.lr)
            else:
                w.sub_(grad, alpha=task.lr)
        return loss

    return over(pytorch, task, lambda x, y: step(weights, speeds, x, y), device)


def compiled_parts(task: Task) -> Epoch:
    """`torch.compile` of the loss and of the optimiser's step, as its documentation has it."""
    model, optimizer = module(pytorch, THEIRS, task)

    @pytorch.compile(fullgraph=True, dynamic=False)
    def loss_of(x: Any, y: Any) -> Any:
        return pytorch.nn.functional.cross_entropy(model(x), y)

    update = pytorch.compile(optimizer.step)
    step = with_optimizer(pytorch, loss_of, update, optimizer.zero_grad)
    return over(pytorch, task, step)


def ours_compiled(task: Task) -> Epoch:
    """`tinygrad_mnist.compile` of the step with a module and an optimiser."""
    step = tinygrad_mnist.compile(module_step(tinygrad_mnist, OURS, task))
    return over(tinygrad_mnist, task, step)


def ours_scanned(task: Task) -> Epoch:
    """The same step, a whole epoch in one `tinygrad_mnist.compiler.scan`."""
    step = tinygrad_mnist.compile(module_step(tinygrad_mnist, OURS, task))
    batches = tinygrad_mnist.from_numpy(task.x), tinygrad_mnist.from_numpy(task.y)
    return lambda: float(tinygrad_mnist.compiler.scan(step, batches)[-1])


COMPILED = Contestant("tinygrad_mnist, compiled", ours_compiled)
SCANNED = Contestant("tinygrad_mnist, scan of an epoch", ours_scanned)
PYTORCH = (
    Contestant("PyTorch, functional", lambda t: over(pytorch, t, functional(pytorch, t))),
    Contestant("PyTorch, nn + optim", lambda t: over(pytorch, t, module_step(pytorch, THEIRS, t))),
    Contestant("torch.compile, whole step", compiled_whole),
    Contestant("torch.compile, loss and update", compiled_parts),
)
EAGER = Contestant(
    "tinygrad_mnist, eager",
    lambda t: over(tinygrad_mnist, t, module_step(tinygrad_mnist, OURS, t)),
)
