"""What each kernel takes beside its NumPy twin and PyTorch: `python -m benchmarks.kernels`.

One thread; the three run in turn, so that whatever else the machine does falls on all of them, and
the medians are printed in microseconds. `--batch` gives other sizes than the logistic model's.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

from tinygrad_mnist import kernels
from tinygrad_mnist.kernels import dispatch

aten = torch.ops.aten


class Contest(NamedTuple):
    """One computation done three ways."""

    name: str
    kernel: Callable[[], object]
    torch: Callable[[], object]


def products_of(batch: int, dtype: type) -> Iterator[Contest]:
    """The products of the logistic step, and those of `nn.Linear`, whose weights lie transposed."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 784)).astype(dtype)
    weights = rng.standard_normal((784, 10)).astype(dtype)
    grad = rng.standard_normal((batch, 10)).astype(dtype)
    turned = np.ascontiguousarray(weights.T).T
    pairs = {
        "x @ w": (x, weights),
        "xᵀ @ g": (x.T, grad),
        "g @ wᵀ": (grad, weights.T),
        "linear: x @ wᵀ": (x, turned),
        "linear: gᵀ @ x": (grad.T, x),
    }
    for name, (a, b) in pairs.items():
        ta, tb = torch.from_numpy(a), torch.from_numpy(b)
        yield Contest(
            name,
            lambda a=a, b=b: kernels.matmul(a, b),
            lambda a=ta, b=tb: torch.mm(a, b),
        )


def rows_of(batch: int, dtype: type) -> Iterator[Contest]:
    """What happens to the outcome, (batch, 10), forward and backward."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 10)).astype(dtype)
    out = kernels.log_softmax(x)
    target = rng.integers(0, 10, batch)
    one = np.ones((), dtype)
    tx, tout, ttarget, tone = map(torch.from_numpy, (x, out, target, np.array(one)))
    total = torch.tensor(float(batch), dtype=tx.dtype)
    yield Contest(
        "log_softmax",
        lambda: kernels.log_softmax(x),
        lambda: torch.log_softmax(tx, 1),
    )
    yield Contest(
        "log_softmax_backward",
        lambda: kernels.log_softmax_backward(x, out),
        lambda: aten._log_softmax_backward_data(tx, tout, 1, tx.dtype),
    )
    yield Contest(
        "nll_loss",
        lambda: kernels.nll_loss(out, target),
        lambda: aten.nll_loss_forward(tout, ttarget, None, 1, -100),
    )
    yield Contest(
        "nll_loss_backward",
        lambda: kernels.nll_loss_backward(one, target, 10),
        lambda: aten.nll_loss_backward(tone, tout, ttarget, None, 1, -100, total),
    )
    yield Contest(
        "sum_rows",
        lambda: kernels.sum_rows(x),
        lambda: tx.sum(0),
    )
    yield Contest(
        "sum_columns",
        lambda: kernels.sum_columns(x),
        lambda: tx.sum(1),
    )


def updates_of(dtype: type) -> Iterator[Contest]:
    """The update of the weights, (784, 10), and of the bias."""
    for shape in ((784, 10), (10,)):
        param, grad = np.zeros(shape, dtype), np.ones(shape, dtype)
        tparam, tgrad = torch.from_numpy(param), torch.from_numpy(grad)
        yield Contest(
            f"sgd_update {'x'.join(map(str, shape))}",
            lambda p=param, g=grad: kernels.sgd_update(p, g, 0.1),
            lambda p=tparam, g=tgrad: p.add_(g, alpha=-0.1),
        )


def images_of(batch: int) -> Iterator[Contest]:
    """Convolutions of the tutorial's network, wide ones, and what lies between, in float32."""
    for channels, filters, size in ((1, 16, 28), (16, 16, 14), (16, 10, 7)):
        yield from convolutions_of(batch, channels, filters, size)
    for channels, filters, size in ((32, 64, 28), (64, 64, 14), (64, 64, 7), (128, 128, 14)):
        yield from convolutions_of(batch, channels, filters, size, 1)
    yield from convolutions_of(batch, 64, 64, 14)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 16, 14, 14)).astype(np.float32)
    grad = rng.standard_normal(x.shape).astype(np.float32)
    small = np.ascontiguousarray(x[:, :10, :4, :4])
    tx, tgrad, tsmall = map(torch.from_numpy, (x, grad, small))
    borders = ((0, 0), (0, 0))
    window = (4, 4), (4, 4), borders, (1, 1)
    halves = (2, 2), (2, 2), borders, (1, 1), (7, 7)
    yield Contest(
        "relu",
        lambda: kernels.relu(x),
        lambda: torch.relu(tx),
    )
    yield Contest(
        "relu_backward",
        lambda: kernels.relu_backward(grad, x),
        lambda: aten.threshold_backward(tgrad, tx, 0),
    )
    yield Contest(
        "sum_channels",
        lambda: kernels.sum_channels(x),
        lambda: tx.sum((0, 2, 3)),
    )
    yield Contest(
        "window_sum 4x4",
        lambda: kernels.window_sum(small, *window),
        lambda: torch.nn.functional.avg_pool2d(tsmall, 4),
    )
    yield Contest(
        "place_of_max 2x2",
        lambda: kernels.place_of_max(x, *halves),
        lambda: torch.nn.functional.max_pool2d(tx, 2, return_indices=True),
    )


def convolutions_of(
    batch: int, channels: int, filters: int, size: int, step: int = 2
) -> Iterator[Contest]:
    """A convolution, 3×3, padding 1, and its derivatives."""
    rng = np.random.default_rng(0)
    made = (size - 1) // step + 1
    shapes = (batch, channels, size, size), (filters, channels, 3, 3), (batch, filters, made, made)
    x, weight, grad = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    tensors = [torch.from_numpy(each) for each in (grad, x, weight)]
    geometry = (step, step), ((1, 1), (1, 1)), (1, 1), 1
    named = dict(zip(("stride", "padding", "dilation", "groups"), geometry, strict=True))
    what = f"{channels}-{filters}" + f" {size}" * (step == 1)

    def backward(*wanted: bool) -> object:
        return aten.convolution_backward(
            *tensors, None, [step, step], [1, 1], [1, 1], False, [0, 0], 1, wanted
        )

    yield Contest(
        f"conv2d {what}",
        lambda: kernels.conv2d(x, weight, **named),
        lambda: torch.conv2d(tensors[1], tensors[2], None, step, 1),
    )
    yield Contest(
        f"conv2d_weight {what}",
        lambda: kernels.conv2d_weight(grad, x, kernel=(3, 3), **named),
        lambda: backward(False, True, False),
    )
    yield Contest(
        f"conv2d_input {what}",
        lambda: kernels.conv2d_input(grad, weight, sizes=(size, size), **named),
        lambda: backward(True, False, False),
    )


def medians(contest: Contest, seconds: float) -> list[float]:
    """The median of each way, in microseconds, over rounds of all three."""
    ways = (contest.kernel, True), (contest.kernel, False), (contest.torch, False)
    times: list[list[int]] = [[] for _ in ways]
    in_use = dispatch.base.on, dispatch.images.switch()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for (way, loops), spent in zip(ways, times, strict=True):
            dispatch.base.on, dispatch.images.on = in_use if loops else (False, False)
            start = time.perf_counter_ns()
            way()
            spent.append(time.perf_counter_ns() - start)
    dispatch.base.on, dispatch.images.on = in_use
    return [median(spent) / 1000 for spent in times]


def main() -> None:
    """Print one table for each dtype and batch size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[64], help="default: 64")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each line: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not kernels.warm_up():
        print("the loops are not in use: both columns of ours are NumPy's")
    for dtype in (np.float32, np.float64):
        for batch in arguments.batch:
            print(f"\n{dtype.__name__}, batch {batch}, µs")
            print(f"{'':23}{'kernel':>9}{'NumPy':>9}{'PyTorch':>9}")
            contests = [*products_of(batch, dtype), *rows_of(batch, dtype), *updates_of(dtype)]
            if dtype is np.float32:
                contests += images_of(batch)
            for contest in contests:
                figures = medians(contest, arguments.seconds)
                print(f"{contest.name:23}" + "".join(f"{figure:9.1f}" for figure in figures))


if __name__ == "__main__":
    main()
