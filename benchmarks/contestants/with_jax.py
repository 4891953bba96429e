"""JAX: one compiled step at a time, and a whole epoch in one `lax.scan`."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.jobs import Array, Job

from . import numpylike
from .contestant import Contestant, Training


def _forward_cnn(weights: dict[str, Any], x: Any) -> Any:
    """Filters lie as XLA's loops for the CPU want them: height, width, channels in and out."""
    import jax
    from jax import lax

    x = x.reshape(-1, 28, 28, 1)
    for weight, bias in numpylike.pairs(weights):
        layout = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, weight, (2, 2), ((1, 1), (1, 1)), dimension_numbers=layout)
        x = jax.nn.relu(x + bias)
    return x.mean((1, 2))


def _loss_of(model: str, weights: dict[str, Any], x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp
    from jax.scipy.special import erf

    if model == "cnn":
        out = _forward_cnn(weights, x)
    else:
        out = numpylike.forward(jnp, erf, model, weights, x)
    logs = jax.nn.log_softmax(out)
    return -jnp.take_along_axis(logs, y[..., None], -1).mean()


def step_of(job: Job) -> Any:
    """From state and batch to state and loss, as `lax.scan` wants it."""
    import jax

    def step(state: Any, batch: Any) -> Any:
        weights, speeds = state
        loss, grads = jax.value_and_grad(lambda w: _loss_of(job.model, w, *batch))(weights)
        if job.momentum:
            speeds = {k: job.momentum * speeds[k] + grads[k] for k in grads}
            grads = speeds
        return ({k: w - job.lr * grads[k] for k, w in weights.items()}, speeds), loss

    return step


def _begin(job: Job) -> Any:
    import jax.numpy as jnp

    turned = {k: a.transpose(2, 3, 1, 0) if a.ndim == 4 else a for k, a in job.weights.items()}
    weights = {k: jnp.array(a) for k, a in turned.items()}
    return weights, {k: jnp.zeros_like(w) for k, w in weights.items()}


def _weights(job: Job, state: Any) -> list[Array]:
    arrays = [np.asarray(state[0][name]) for name in job.weights]
    return [a.transpose(3, 2, 0, 1) if a.ndim == 4 else a for a in arrays]


def _jit(job: Job) -> Training:
    import jax
    import jax.numpy as jnp

    step = jax.jit(step_of(job), donate_argnums=0)
    state = _begin(job)

    def run(batches: Any) -> float:
        nonlocal state
        for batch in batches:
            state, loss = step(state, batch)
        jax.block_until_ready(state)
        return float(loss)

    def place(xs: Array, ys: Array) -> Any:
        return [(jnp.array(x), jnp.array(y)) for x, y in zip(xs, ys, strict=True)]

    return Training(place, run, lambda: _weights(job, state))


def _scan(job: Job) -> Training:
    import jax
    import jax.numpy as jnp

    step = step_of(job)
    loop = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)
    state = _begin(job)

    def run(batches: Any) -> float:
        nonlocal state
        state, losses = loop(state, batches)
        jax.block_until_ready(state)
        return float(losses[-1])

    return Training(lambda x, y: (jnp.array(x), jnp.array(y)), run, lambda: _weights(job, state))


SCAN = Contestant("JAX, lax.scan", "jax", _scan)
CONTESTANTS = (Contestant("JAX, jit", "jax", _jit), SCAN)
