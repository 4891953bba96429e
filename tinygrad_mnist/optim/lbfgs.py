"""LBFGS: a step along −H⁻¹ · g, the curvature H read off the last steps and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.creation import zeros_like
from tinygrad_mnist.autograd import enable_grad, no_grad
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.ops.joining import cat

from .optimizer import Loss, Optimizer, Params, check_lr, to_scalar

_DECREASE, _FLATTER = 1e-4, 0.9
"""The constants c₁ and c₂ of the Wolfe conditions."""
_MEMORY = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


class _Point(NamedTuple):
    """What a line search knows of one length of the step."""

    length: Any
    loss: float
    grad: Tensor
    slope: Any


class LBFGS(Optimizer):
    """p ← p + t · d, d = −H⁻¹ · g by the limited-memory formula of Broyden and others.

    A step asks the closure, which computes the loss and its gradients, up to `max_eval` times
    (1.25 · `max_iter`) in `max_iter` iterations. It ends early where no gradient is over
    `tolerance_grad`, or neither loss nor parameters change by `tolerance_change`. H is made of
    the last `history_size` changes of parameters and gradients. t is `lr`, or, with
    `line_search_fn="strong_wolfe"`, a length that satisfies the strong Wolfe conditions. All
    parameters are in one group.

    Nocedal and Wright, "Numerical Optimization" (2006), algorithms 7.4 and 3.5.

    >>> weight = torch.zeros(2, requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([weight], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((weight - torch.tensor([1.0, 2.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(5., grad_fn=<SumBackward0>)
    >>> weight
    tensor([1.0000, 2.0000], requires_grad=True)
    """

    def __init__(
        self, params: Params, lr: float | Tensor = 1, max_iter: int = 20,
        max_eval: int | None = None, tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9,
        history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        given = locals()
        names = "lr max_iter max_eval tolerance_grad tolerance_change history_size line_search_fn"
        super().__init__(params, {name: given[name] for name in names.split()})
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    @no_grad()
    def step(self, closure: Callable[[], Loss]) -> Loss:  # type: ignore[override]
        """Iterate from here; returns what `closure` gave first."""
        note_untraceable("LBFGS decides by the loss how it goes on")
        closure = enable_grad()(closure)
        group, state = self.param_groups[0], self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = closure()
        state["func_evals"] += 1
        loss, grad, calls = float(first), self._flat_grad(), 1  # type: ignore[arg-type]
        if grad.abs().max() <= group["tolerance_grad"]:
            return first
        memory: dict[str, Any] = {name: state.get(name) for name in _MEMORY}
        for left in reversed(range(group["max_iter"])):
            state["n_iter"] += 1
            before = memory["prev_loss"] = loss
            slope = self._turn(memory, grad, state["n_iter"] == 1)
            if slope > -group["tolerance_change"]:
                break
            start, most = _Point(0, loss, grad, slope), group["max_eval"] - calls
            loss, grad, more = self._advance(closure, memory, start, most, left)
            calls += more
            state["func_evals"] += more
            if (
                calls >= group["max_eval"]
                or grad.abs().max() <= group["tolerance_grad"]
                or memory["d"].mul(memory["t"]).abs().max() <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        state.update(memory)
        return first

    def _turn(self, memory: dict[str, Any], grad: Tensor, first: bool) -> Tensor:
        """Set the new direction and the length to try in it; the slope of the loss along it."""
        lr = to_scalar(self.param_groups[0]["lr"])
        if first:
            memory.update(d=grad.neg(), old_dirs=[], old_stps=[], ro=[], H_diag=1)
            memory["prev_flat_grad"] = grad.clone()
            memory["t"] = min(1.0, 1.0 / grad.abs().sum()) * lr
        else:
            self._take_in(memory, grad)
            memory["t"] = lr
        return grad.dot(memory["d"])

    def _take_in(self, memory: dict[str, Any], grad: Tensor) -> None:
        """Remember the step before this, and make a direction of all that is remembered."""
        size = self.param_groups[0]["history_size"]
        changes, steps, factors = memory["old_dirs"], memory["old_stps"], memory["ro"]
        change, step = grad.sub(memory["prev_flat_grad"]), memory["d"].mul(memory["t"])
        curvature = change.dot(step)
        if curvature > 1e-10:
            for history, newest in zip(
                (changes, steps, factors), (change, step, 1.0 / curvature), strict=True
            ):
                if len(history) == size:
                    history.pop(0)
                history.append(newest)
            memory["H_diag"] = curvature / change.dot(change)
        shares = self.state[self._params[0]].setdefault("al", [None] * size)
        direction = grad.neg()
        for number in reversed(range(len(changes))):
            shares[number] = steps[number].dot(direction) * factors[number]
            direction.add_(changes[number], alpha=-shares[number])
        direction = direction.mul(memory["H_diag"])
        for number in range(len(changes)):
            share = changes[number].dot(direction) * factors[number]
            direction.add_(steps[number], alpha=shares[number] - share)
        memory["d"] = direction
        memory["prev_flat_grad"].copy_(grad)

    def _advance(
        self, closure: Callable[[], Any], memory: dict[str, Any], start: _Point, most: int,
        left: int,
    ) -> tuple[float, Tensor, int]:  # fmt: skip
        """Take the step; the loss and gradient after it, and how often the closure was asked.

        No loss is computed after the last step, when no more are `left`, without a line search.
        """
        method, tries = self.param_groups[0]["line_search_fn"], 0
        if method is not None:
            if method != "strong_wolfe":
                raise RuntimeError("only 'strong_wolfe' is supported")
            point, tries = self._search(closure, memory, start, most)
            memory["t"] = point.length
            self._move(memory["t"], memory["d"])
            return point.loss, point.grad, tries
        self._move(memory["t"], memory["d"])
        return (float(closure()), self._flat_grad(), 1) if left else (start.loss, start.grad, 0)

    def _search(
        self, closure: Callable[[], Any], memory: dict[str, Any], start: _Point, most: int
    ) -> tuple[_Point, int]:
        """The point that satisfies the Wolfe conditions, or the best after `most` tries."""
        direction = memory["d"]
        origin = [param.clone() for param in self._params]

        def evaluate(length: Any) -> _Point:
            self._move(length, direction)
            loss, grad = float(closure()), self._flat_grad()
            for param, value in zip(self._params, origin, strict=True):
                param.copy_(value)
            return _Point(length, loss, grad, grad.dot(direction))

        bracket, tries = _bracket(evaluate, start, evaluate(memory["t"]), most)
        if len(bracket) == 1:
            return bracket[0], tries + 1
        return _zoom(evaluate, start, bracket, tries, most, direction.abs().max())

    def _flat_grad(self) -> Tensor:
        grads = [zeros_like(p) if p.grad is None else p.grad for p in self._params]
        return cat([grad.reshape(-1) for grad in grads])

    def _move(self, length: Any, direction: Tensor) -> None:
        """Add `length` times the direction to the parameters."""
        start = 0
        for param in self._params:
            part = direction[start : start + param.numel()]
            param.add_(part.view_as(param), alpha=length)
            start += param.numel()


Evaluate = Callable[[Any], _Point]


def _bracket(
    evaluate: Evaluate, start: _Point, point: _Point, most: int
) -> tuple[list[_Point], int]:
    """Two points around one that satisfies the Wolfe conditions, or that one; and the tries."""
    before, tries = start, 0
    while tries < most:
        limit = start.loss + _DECREASE * point.length * start.slope
        if point.loss > limit or (tries > 1 and point.loss >= before.loss):
            return [before, point], tries
        if abs(point.slope) <= -_FLATTER * start.slope:
            return [point], tries
        if point.slope >= 0:
            return [before, point], tries
        least = point.length + 0.01 * (point.length - before.length)
        length = _cubic_minimum(before, point, (least, point.length * 10))
        before, point = point, evaluate(length)
        tries += 1
    return [start, point], tries


def _zoom(
    evaluate: Evaluate, start: _Point, bracket: list[_Point], tries: int, most: int, reach: Tensor
) -> tuple[_Point, int]:
    """The lower point of a bracket made narrower until it satisfies the Wolfe conditions."""
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    stuck = done = False
    while not done and tries < most:
        left, right = (choose(point.length for point in bracket) for choose in (min, max))
        if abs(right - left) * reach < 1e-9:
            break
        length = _cubic_minimum(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        near = min(right - length, length - left) < margin
        if near and (stuck or length >= right or length <= left):
            nearest_right = abs(length - right) < abs(length - left)
            length, near = right - margin if nearest_right else left + margin, False
        stuck = near
        point = evaluate(length)
        tries += 1
        limit = start.loss + _DECREASE * length * start.slope
        if point.loss > limit or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        done = abs(point.slope) <= -_FLATTER * start.slope
        if not done and point.slope * (bracket[high].length - bracket[low].length) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
    return bracket[low], tries + 1


def _cubic_minimum(a: _Point, b: _Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through the losses and slopes of two points is lowest, within bounds."""
    if b.length < a.length:
        a, b = b, a
    least, most = bounds or (a.length, b.length)
    rise = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = rise**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    root = square.sqrt()
    share = (b.slope + root - rise) / (b.slope - a.slope + 2 * root)
    return min(max(b.length - (b.length - a.length) * share, least), most)
