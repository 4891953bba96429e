"""The tutorial's model on `core` and ten operations, beside the same in NumPy by hand.

Prints the names of the modules that were loaded, for test_core.py to look at.
"""

import json
import sys

import numpy as np
from ten_operations import backward, exp, leaf, log, matmul, wrap

random = np.random.default_rng(0)
images = random.normal(size=(96, 12))
labels = (images @ random.normal(size=(12, 5))).argmax(1)
hot = np.eye(5)[labels]
first_weight = random.normal(size=(12, 5)) / 4
STEPS, LR, BATCH = 30, 0.5, 32


def batches():
    """Rows of a batch, in turn."""
    return [slice(i % 3 * BATCH, (i % 3 + 1) * BATCH) for i in range(STEPS)]


def loss_of(weight, bias, rows):
    """The mean of −log softmax at the labels."""
    z = matmul(wrap(images[rows]), weight) + bias
    log_probability = z - log(exp(z).sum((1,))).reshape((BATCH, 1))
    return (log_probability * hot[rows]).sum() * (-1 / BATCH)


def by_core():
    """The losses of a training by the backward pass, and the model."""
    weight, bias = leaf(first_weight), leaf(np.zeros(5))
    losses = []
    for rows in batches():
        loss = loss_of(weight, bias, rows)
        backward(loss)
        losses.append(float(loss._array))
        for each in (weight, bias):
            each._array -= LR * each.grad._array
            each._record.grad = None
    return losses, weight, bias


def by_hand():
    """The losses of the same training, its gradients written out."""
    weight, bias = first_weight.copy(), np.zeros(5)
    losses = []
    for rows in batches():
        z = images[rows] @ weight + bias
        exponentials = np.exp(z)
        probability = exponentials / exponentials.sum(1, keepdims=True)
        losses.append(-(np.log(probability) * hot[rows]).sum() / BATCH)
        down = (probability - hot[rows]) / BATCH
        weight -= LR * images[rows].T @ down
        bias -= LR * down.sum(0)
    return losses


def second_order(weight, bias):
    """The product of the Hessian with a direction: by gradients of gradients, by differences."""
    rows, direction = slice(0, BATCH), random.normal(size=first_weight.shape)

    def gradient(array):
        moved = leaf(array)
        backward(loss_of(moved, bias, rows))
        return moved.grad._array

    moving = leaf(weight._array)
    backward(loss_of(moving, bias, rows), create_graph=True)
    slope, moving._record.grad = moving.grad, None
    backward((slope * direction).sum())
    eps = 1e-5
    ahead, behind = (gradient(weight._array + sign * eps * direction) for sign in (1, -1))
    return moving.grad._array, (ahead - behind) / (2 * eps)


def simple_slopes():
    """Derivatives of x³ and of x / (x + 1), of the first and second order, at 2."""
    found = []
    for function in (lambda x: x * x * x, lambda x: x / (x + 1.0)):
        x = leaf(2.0)
        backward(function(x), create_graph=True)
        slope, x._record.grad = x.grad, None
        backward(slope)
        found += [float(slope._array), float(x.grad._array)]
    return found


losses, weight, bias = by_core()
by_gradients, by_differences = second_order(weight, bias)
print(
    json.dumps(
        {
            "losses": losses,
            "by hand": by_hand(),
            "Hessian": by_gradients.ravel().tolist(),
            "by differences": by_differences.ravel().tolist(),
            "slopes": simple_slopes(),
            "modules": [name for name in sys.modules if name.partition(".")[0] != "numpy"],
        }
    )
)
