"""The source of a program is the same in each process, so that what was compiled is found again."""

import itertools
import json
import os
import subprocess
import sys
from random import Random

import pytest

import tinygrad_mnist as torch
from tests.compiler import programs, steps
from tests.compiler.conftest import as_code
from tinygrad_mnist import nn
from tinygrad_mnist.compiler import choices, program
from tinygrad_mnist.nn import functional as F

torch.manual_seed(0)


class Shared:
    """Tensors that are found by the names of a class."""

    first = torch.rand(5, requires_grad=True)
    second = torch.rand(5, requires_grad=True)
    third = torch.rand(5)
    fourth = torch.rand(5, requires_grad=True)

    @classmethod
    def mixed(cls):
        return cls.first * cls.third + cls.fourth * cls.second


class Scaled(nn.Module):
    """A layer with tensors of its class, and some in a dictionary."""

    scale = torch.rand(5, requires_grad=True)
    shift = torch.rand(5, requires_grad=True)

    def __init__(self):
        super().__init__()
        self.inner, self.norm = nn.Linear(12, 5), nn.LayerNorm(5)
        self.others = {"a": torch.rand(5), "b": torch.rand(5)}

    def forward(self, x):
        x = F.silu(self.norm(self.inner(x)))
        return x * self.scale + self.shift * self.others["b"] + self.others["a"]


model = Scaled()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def reaching(x, y):
    """A step whose parts are all found by name, outside of it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x) * Shared.mixed(), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1)
    optimizer.step()
    return loss


MADE = {
    steps.normalised_perceptron: (7, 12), steps.attentive: (6, 12), steps.clipped: (6, 12),
    steps.looked_up: (6, 3), (lambda: (reaching, {})): (7, 12),
}  # fmt: skip


def sources():
    """The source of each step, of its first program and of the one with the optimiser's state."""
    texts = []
    for make, (rows, columns) in MADE.items():
        compiled = torch.compile(make()[0])
        for _ in range(2):
            compiled(torch.rand(rows, columns), torch.zeros(rows, dtype=torch.int64))
            texts.append(compiled.source)
    for recipe in of_all_operations():
        training = programs.Training(recipe)
        compiled = torch.compile(training.step)
        texts += [compiled.source for _ in training.done(compiled)]
    return texts


def of_all_operations():
    """Programs that hold each operation of random programs once, but those that are replayed."""
    random = Random(2)
    names = sorted(programs.OPERATIONS.keys() - {"argsorted", "median", "sorted", "top"})
    random.shuffle(names)
    for n, first in enumerate(range(0, len(names), 12)):
        several = names[first : first + 12]
        counts = [programs.OPERATIONS[name][1] for name in several]
        chosen = [(name, *[random.randrange(4) for _ in range(count)])
                  for name, count in zip(several, counts, strict=True)]  # fmt: skip
        optimizer = sorted(programs.OPTIMIZERS)[n % len(programs.OPTIMIZERS)]
        yield programs.Recipe(
            tuple(chosen), "float32", (4, 3), optimizer, bool(n % 2), False, 1, (6, 8)
        )


@pytest.mark.usefixtures("plain")
def test_sources_are_the_same_where_texts_and_values_have_other_hashes():
    here, environment = sources(), os.environ | {"PYTHONHASHSEED": "1"}
    if sys.flags.hash_randomization == 0 or os.environ.get("PYTHONHASHSEED") == "1":
        environment["PYTHONHASHSEED"] = "2"
    done = subprocess.run([sys.executable, "-m", __name__], env=environment, capture_output=True,
                          check=True)  # fmt: skip
    assert json.loads(done.stdout) == here
    assert sum(text.startswith("def step(") for text in here) > 20
    assert any("s0 = x.shape[0]" in text for text in here)


if __name__ == "__main__":
    from tinygrad_mnist.compiler import build

    backward = itertools.count(1 << 40, -1)
    hashes = {}
    program.Value.__hash__ = program.Instruction.__hash__ = lambda value: hashes.setdefault(
        id(value), next(backward) * 0x9E3779B1 % (1 << 60)
    )
    build.load = lambda text, fastmath: as_code(lambda *arrays: 0)
    choices.Product.best = lambda product: product.candidates()[0]
    print(json.dumps(sources()))
