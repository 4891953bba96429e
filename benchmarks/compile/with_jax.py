"""JAX: one compiled step at a time, and a whole epoch in one `lax.scan`."""

from __future__ import annotations

from typing import Any

from .tasks import Contestant, Epoch, Task


def _forward(model: str, weights: list[Any], x: Any) -> Any:
    import jax
    from jax import lax

    if model == "logistic":
        return x @ weights[0] + weights[1]
    if model == "mlp":
        hidden = jax.nn.relu(x @ weights[0].T + weights[1])
        return hidden @ weights[2].T + weights[3]
    x = x.reshape(-1, 28, 28, 1)
    for n in (0, 2, 4):
        x = lax.conv_general_dilated(
            x, weights[n], (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + weights[n + 1])
    return x.mean((1, 2))


def _start(task: Task) -> tuple[list[Any], list[Any]]:
    """Weights and speeds; filters lie as XLA's loops for the CPU want them."""
    import jax.numpy as jnp

    arrays = [w.transpose(2, 3, 1, 0) if w.ndim == 4 else w for w in task.weights.values()]
    weights = [jnp.array(array) for array in arrays]
    return weights, [jnp.zeros_like(w) for w in weights]


def _step(task: Task) -> Any:
    import jax
    import jax.numpy as jnp

    def loss_of(weights: list[Any], x: Any, y: Any) -> Any:
        out = jax.nn.log_softmax(_forward(task.model, weights, x))
        return -jnp.take_along_axis(out, y[:, None], 1).mean()

    def step(state: tuple[list[Any], list[Any]], batch: tuple[Any, Any]) -> Any:
        weights, speeds = state
        loss, grads = jax.value_and_grad(loss_of)(weights, *batch)
        if task.momentum:
            speeds = [task.momentum * v + g for v, g in zip(speeds, grads, strict=True)]
            grads = speeds
        weights = [w - task.lr * g for w, g in zip(weights, grads, strict=True)]
        return (weights, speeds), loss

    return step


def _jit(task: Task) -> Epoch:
    import jax
    import jax.numpy as jnp

    step = jax.jit(_step(task), donate_argnums=0)
    batches = [(jnp.array(x), jnp.array(y)) for x, y in zip(task.x, task.y, strict=True)]
    state = _start(task)

    def epoch() -> float:
        nonlocal state
        for batch in batches:
            state, loss = step(state, batch)
        jax.block_until_ready(state)
        return float(loss)

    return epoch


def _scan(task: Task) -> Epoch:
    import jax
    import jax.numpy as jnp

    step = _step(task)
    run = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)
    batches = jnp.array(task.x), jnp.array(task.y)
    state = _start(task)

    def epoch() -> float:
        nonlocal state
        state, losses = run(state, batches)
        jax.block_until_ready(state)
        return float(losses[-1])

    return epoch


SCAN = Contestant("JAX, lax.scan of an epoch", _scan)
JAX = (Contestant("JAX, jit of a step", _jit), SCAN)
