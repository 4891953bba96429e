"""`why`: in plain words, why a gradient is None, zero, NaN or infinite, or nothing is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.explainer import passes
from tinygrad_mnist.nn import Module
from tinygrad_mnist.optim import Optimizer

from .memory import remember, threads
from .models import of_model, of_parameter
from .reason import Line, Link, Reason
from .walks import again

__all__ = ["Line", "Link", "Reason", "Why", "reasons", "remember", "why"]


class Why:
    """`why(tensor)`: why its `.grad` is None, zero, NaN or infinite, or why a model does not learn.

    The answer is a `Reason`: `str()` is a paragraph, the chain from the tensor to the cause, and
    the fix; `.cause` is a key, `.line` the line of the program. Much is told from the records
    alone, more with the loss: `why(tensor, loss)`. Lines, and cuts that leave no record (`detach`,
    `no_grad`, `.item()`), are known where `why.remember()` was on; without it, which operation made
    a gradient zero or NaN is known only until backward() has freed the graph.

    `why(model, loss, optimizer)` looks at every parameter, and at what the optimiser does with it.
    Raises TypeError for what is no tensor and no module.

    >>> x = torch.tensor([-1.0, -2.0], requires_grad=True)
    >>> loss = torch.relu(x).sum()
    >>> loss.backward(retain_graph=True)
    >>> reason = torch.why(x, loss)
    >>> reason.cause, reason.elements
    ('dead_relu', (2, 2))
    """

    remember = remember

    def __call__(
        self,
        subject: Tensor | Module,
        loss: Tensor | None = None,
        optimizer: Optimizer | None = None,
    ) -> Reason:
        """The reason for a tensor, or for the first parameter of a model that does not learn."""
        if not isinstance(loss, Tensor | None):
            raise TypeError(f"why(): argument 'loss' must be Tensor, not {type(loss).__name__}")
        if optimizer is not None and not hasattr(optimizer, "param_groups"):
            kind = type(optimizer).__name__
            raise TypeError(f"why(): argument 'optimizer' must be Optimizer, not {kind}")
        try:
            if isinstance(subject, Module):
                return of_model(subject, loss, optimizer, threads.memory)
            if isinstance(subject, Tensor):
                return of_parameter(subject, loss, optimizer, threads.memory)
        finally:
            again.walks.clear()
        raise TypeError(
            f"why(): argument 'subject' must be Tensor or Module, not {type(subject).__name__}"
        )


Why.__call__.__qualname__ = "why"  # as Python calls it where arguments are missing
why = Why()


def reasons(
    leaves: Iterable[Tensor], loss: Tensor | None, node_of: Callable[[Any], int | None]
) -> list[passes.Why]:
    """For the page: a reason for each leaf whose gradient is missing, zero or not finite.

    `node_of` gives the number of a record's node on the page, None for one that is not drawn.
    """
    told = []
    for leaf in leaves:
        reason = why(leaf, loss)
        node = None if reason.learns else node_of(current_record(leaf))
        if node is not None:
            nodes = [node_of(each.record) for each in reason.chain if each.record is not None]
            chain = [each for each in nodes if each is not None]
            told.append(passes.Why(node, reason.cause, reason.paragraph, chain, reason.fix))
    return told
