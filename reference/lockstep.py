"""Trains in PyTorch and in tinygrad_mnist side by side: ``python -m reference.lockstep``.

Both start from the same weights and take the same batches. After each step the losses, every
gradient and every parameter are compared; drifting apart beyond a bound is a failure (exit code 1).

A difference is the largest among a tensor's elements, given as a number and in ulp: in steps
between neighbouring float32 numbers at the tensor's largest value.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import tinygrad_mnist
from reference import logistic as theirs
from reference.report import replacing
from reference.train import FAILED, INTERRUPTED, not_negative, positive_integer
from tinygrad_mnist import kernels
from tinygrad_mnist.app import logistic as ours
from tinygrad_mnist.app import train
from tinygrad_mnist.app.datasets import DataError, Digits

Array = NDArray[np.float32]

BOUNDS = {"loss": 5e-6, "weights": 1e-5, "bias": 1e-5}
COMPARED = ("loss", "weights.grad", "bias.grad", "weights", "bias")
ROWS = 20  # of the table, unless --every says otherwise


class Difference(NamedTuple):
    """The largest difference between two tensors' elements."""

    absolute: float
    ulp: float

    def worse(self, other: "Difference") -> "Difference":
        """The larger of each."""
        return Difference(max(self.absolute, other.absolute), max(self.ulp, other.ulp))


class Step(NamedTuple):
    """A step made in both engines: the losses, and how far apart what they computed is."""

    step: int
    loss_torch: float
    loss_tinygrad_mnist: float
    differences: dict[str, Difference]

    def within_bounds(self) -> bool:
        """Whether nothing has drifted apart beyond its bound."""
        return all(self.differences[name].absolute <= bound for name, bound in BOUNDS.items())


def difference(a: Array, b: Array) -> Difference:
    """The largest difference between two arrays; infinite where one holds no finite number.

    >>> one = np.ones(3, np.float32)
    >>> difference(one, np.nextafter(one, np.float32(2))).ulp
    1.0
    """
    largest = np.maximum(np.abs(a).max(), np.abs(b).max())
    if not np.isfinite(largest):
        return Difference(math.inf, math.inf)
    absolute = float(np.abs(a.astype(np.float64) - b).max())
    return Difference(absolute, absolute / float(np.spacing(largest)))


def compare(
    stage: str, digits: Digits[Any], steps: int, batch_size: int, lr: float, seed: int
) -> Iterator[Step]:
    """Makes each step in both engines, from PyTorch's first weights, and compares what came of it.

    The digits are tinygrad_mnist's tensors; PyTorch sees the same memory.
    """
    torch.manual_seed(seed)
    jobs = theirs.build(stage), ours.build(stage)
    with tinygrad_mnist.no_grad():
        for name, tensor in jobs[0].parameters.items():
            start = tinygrad_mnist.from_numpy(tensor.detach().numpy())
            jobs[1].parameters[name].copy_(start)
    x, y = digits.train
    x_torch, y_torch = torch.from_numpy(x.numpy()), torch.from_numpy(y.numpy())
    for step in range(1, steps + 1):
        start_i = (step - 1) * batch_size % (len(x) + -len(x) % batch_size)
        batch = slice(start_i, start_i + batch_size)
        in_torch = make_step(jobs[0], x_torch[batch], y_torch[batch], lr)
        in_ours = make_step(jobs[1], x[batch], y[batch], lr)
        differences = {name: difference(in_torch[name], in_ours[name]) for name in COMPARED}
        yield Step(step, float(in_torch["loss"]), float(in_ours["loss"]), differences)


def make_step(job: Any, x: Any, y: Any, lr: float) -> dict[str, Array]:
    """A step of either engine's job: its loss, gradients and moved parameters, by name."""
    loss = job.loss_func(job.model(x), y)
    loss.backward()
    results = {"loss": loss.detach().numpy()}
    for name, tensor in job.parameters.items():
        results[f"{name}.grad"] = tensor.grad.numpy().copy()
    job.update(lr)
    for name, tensor in job.parameters.items():
        results[name] = tensor.detach().numpy()
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares as the arguments say, prints a table and the worst, and returns the exit code."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    try:
        digits = train.load(options.data)
        print(f"data: {digits.description}")
        kernels.warm_up()
        return report(options, digits)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED


def report(options: argparse.Namespace, digits: Digits[Any]) -> int:
    """Prints a row every few steps, then the worst of all steps and whether it is good enough."""
    steps = options.steps or options.epochs * math.ceil(len(digits.train[0]) / options.batch_size)
    every = options.every or math.ceil(steps / ROWS)
    made: list[Step] = []
    worst = dict.fromkeys(COMPARED, Difference(0.0, 0.0))
    print(header())
    for step in compare(options.stage, digits, steps, options.batch_size, options.lr, options.seed):
        made.append(step)
        worst = {name: worst[name].worse(step.differences[name]) for name in COMPARED}
        if step.step % every == 0 or step.step in (1, steps):
            losses = f"{step.step:>5}  {step.loss_torch:9.6f}  {step.loss_tinygrad_mnist:14.6f}"
            print(losses + cells(step.differences), flush=True)
    print(f"worst of {steps} steps".ljust(32) + cells(worst))
    beyond = [step.step for step in made if not step.within_bounds()]
    if options.json:
        save(options, digits.description, made, worst)
    stated = ", ".join(f"{name} {bound:.0e}" for name, bound in BOUNDS.items())
    if beyond:
        print(f"DRIFTED APART: {len(beyond)} steps, first step {beyond[0]}, exceed {stated}")
        return FAILED
    print(f"in step: every difference is within its bound ({stated})")
    return 0


def header() -> str:
    """Two lines above the table's columns."""
    titles = "".join(f"  {name:>15}" for name in COMPARED)
    units = "".join(f"  {'absolute':>8} {'ulp':>6}" for _ in COMPARED)
    return f"{'':>32}{titles}\n{'step':>5}  {'torch':>9}  {'tinygrad_mnist':>14}{units}"


def cells(differences: dict[str, Difference]) -> str:
    """A difference each, in the order of the header."""
    return "".join(
        f"  {differences[name].absolute:8.1e} {differences[name].ulp:6.1f}" for name in COMPARED
    )


def save(
    options: argparse.Namespace, data: str, steps: list[Step], worst: dict[str, Difference]
) -> None:
    """Writes settings, bounds, the worst and every step as JSON."""
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    content = {
        **settings,
        "data": data,
        "bounds": BOUNDS,
        "worst": _by_name(worst),
        "history": [
            {**step._asdict(), "differences": _by_name(step.differences)} for step in steps
        ],
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    with replacing(options.json) as new:
        new.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _by_name(differences: dict[str, Difference]) -> dict[str, dict[str, float]]:
    return {name: each._asdict() for name, each in differences.items()}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, checked; a mistake ends the program with a sentence and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m reference.lockstep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--stage", choices=theirs.STAGES, default="raw", help="default: %(default)s")
    add(
        "--data",
        default="auto",
        metavar="WHERE",
        help="auto, mnist, synthetic, a folder of MNIST, or an .npz file",
    )
    add("--epochs", type=positive_integer, default=2, metavar="N", help="default: %(default)s")
    add("--steps", type=positive_integer, metavar="N", help="make so many steps, whatever --epochs")
    add("--batch-size", type=positive_integer, default=64, metavar="N", help="default: %(default)s")
    add("--lr", type=not_negative, default=0.5, help="learning rate (default: %(default)s)")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--threads", type=positive_integer, default=1, metavar="N", help="default: %(default)s")
    add(
        "--every", type=positive_integer, metavar="N", help=f"a row every N steps, else {ROWS} rows"
    )
    add("--json", type=Path, metavar="FILE", help="write every step's losses and differences")
    options = parser.parse_args(arguments)
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"{options.json}: its folder does not exist; create it first")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
