"""The training step of each rung of the ladder, taken from its file, compiled and uncompiled."""

import argparse
import ast
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn, optim
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.utils import data

LADDER = Path(__file__).resolve().parents[2] / "reference" / "ladder"
RUNGS = sorted(path.stem for path in LADDER.glob("rung*.py"))
FIT = "rung09_fit"

MODULES = {
    "torch": torch, "torch.nn": nn, "torch.nn.functional": F, "torch.optim": optim,
    "torch.utils.data": data,
}  # fmt: skip


def digits(rows, dtype):
    generator = torch.Generator().manual_seed(rows)
    x = torch.rand(rows, 784, generator=generator).to(dtype)
    return x, torch.randint(0, 10, (rows,), generator=generator)


def is_training(statement):
    """Whether a statement of a rung trains, or reports on training."""
    if isinstance(statement, ast.For):
        return True
    call = statement.value if isinstance(statement, ast.Expr) else None
    name = call.func if isinstance(call, ast.Call) else None
    return isinstance(name, ast.Name) and name.id in ("fit", "print", "report")


def step_of(tree):
    """A function of what a rung does with a batch: from its loss to the end of the loop's body."""
    for node in ast.walk(tree):
        body = [ast.unparse(part) for part in node.body] if isinstance(node, ast.For) else []
        if "loss.backward()" in body:
            begin = next(n for n, text in enumerate(body) if text.startswith("loss = "))
            lines = ["global weights, bias", *body[begin:], "return loss"]
            return "def step(xb, yb):\n" + textwrap.indent("\n".join(lines), "    ")
    return "def step(xb, yb):\n    train_batch(model, F.cross_entropy, xb, yb, opt)"


def climb(name, dtype):
    """What a rung has made before it trains, by name, and its step."""
    tree = ast.parse((LADDER / f"{name}.py").read_text(encoding="utf-8"))
    made = {"__name__": name}
    kept = ast.Module([part for part in tree.body if not is_training(part)], [])
    exec(compile(kept, name, "exec"), made)
    if name == FIT:
        torch.manual_seed(0)
        made |= {"model": nn.Linear(784, 10), "opt": None}
        made["opt"] = optim.SGD(made["model"].parameters(), lr=0.5)
    made.setdefault("train_batch", getattr(sys.modules.get(FIT), "train_batch", None))
    exec(compile(step_of(tree), f"{name}: step", "exec"), made)
    return made


def trained(made):
    if isinstance(made.get("model"), nn.Module):
        return list(made["model"].parameters())
    return [made["weights"], made["bias"]]


@pytest.fixture
def as_torch(monkeypatch):
    """`import torch` gives this engine, and what rungs begin with gives a few digits."""
    for name, module in MODULES.items():
        monkeypatch.setitem(sys.modules, name, module)
    options = argparse.Namespace(device="cpu", epochs=1, seed=0, data="auto", rows=None)
    start = types.SimpleNamespace(
        read_options=lambda *_, **__: options,
        read_digits=lambda _: (*digits(128, torch.float32), *digits(64, torch.float32)),
    )
    monkeypatch.setitem(sys.modules, "start", start)
    monkeypatch.setattr(sys, "path", [str(LADDER), *sys.path])
    monkeypatch.delitem(sys.modules, FIT, raising=False)
    yield
    sys.modules.pop(FIT, None)


@pytest.mark.usefixtures("plain", "as_torch")
@pytest.mark.filterwarnings("error:compile")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_trains_as_it_does_uncompiled(name, dtype):
    torch.set_default_dtype(dtype)
    try:
        eager, made = climb(name, dtype), climb(name, dtype)
        step = torch.compile(made["step"])
        preprocess = made.get("preprocess", lambda x, y: (x, y))
        close = {"rtol": 1e-4, "atol": 1e-5} if dtype is torch.float32 else {"rtol": 1e-10}
        for rows in (6, 6, 6, 3, 6):
            batch = preprocess(*digits(rows, dtype))
            results = step(*batch), eager["step"](*batch)
            for ours, theirs in zip(trained(made), trained(eager), strict=True):
                np.testing.assert_allclose(ours.detach(), theirs.detach(), **close)
            if results[1] is not None:
                np.testing.assert_allclose(results[0].detach(), results[1].detach(), **close)
    finally:
        torch.set_default_dtype(torch.float32)
    assert step.source.startswith("def step(")
    assert trained(made)[0].dtype is dtype


def test_every_rung_has_a_step():
    assert len(RUNGS) == 12
    steps = [step_of(ast.parse((LADDER / f"{name}.py").read_text(encoding="utf-8")))
             for name in RUNGS]  # fmt: skip
    assert all("loss.backward()" in text for text in steps[:8])
    assert all("train_batch" in text for text in steps[8:])
