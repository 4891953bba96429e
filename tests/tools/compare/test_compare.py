"""Scripts on both engines: what is equal is said to be, and what differs is found."""

import json
import os
import subprocess
import sys
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tinygrad_mnist.app.cli.app import app
from tinygrad_mnist.tools.compare import compare_script
from tinygrad_mnist.tools.compare.differences import compare_texts
from tinygrad_mnist.tools.compare.report import verdict
from tinygrad_mnist.tools.scripts import ScriptError

EXAMPLES = Path(__file__).resolve().parents[1] / "scripts" / "examples"


def test_whose_options_are_whose(monkeypatch):
    called = []
    monkeypatch.setattr(
        "tinygrad_mnist.tools.compare.compare_script", lambda *a, **k: called.append((a, k))
    )
    line = "compare job.py --epochs 2 --seed 7 --lockstep -v -- --seed 9"
    with pytest.raises(AttributeError):  # what it got to print is no report
        CliRunner().invoke(app, line.split(), catch_exceptions=False)
    (((script, arguments), options),) = called
    assert (script, arguments) == ("job.py", ["--epochs", "2", "-v", "--seed", "9"])
    assert (options["seed"], options["lockstep"]) == (7, True)


def test_the_command_on_a_script_that_is_equal(tmp_path):
    file, folder = tmp_path / "report.json", tmp_path / "temporary"
    folder.mkdir()
    command = ["-m", "tinygrad_mnist", "compare", EXAMPLES / "quickstart.py", "--json", file]
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model.linear_relu_stack.0" in done.stdout
    *_, told, wrote = done.stdout.splitlines()
    assert (told, wrote) == ("equal within 1000 ulp or 1e-06", f"wrote {file}")
    report = json.loads(file.read_text())
    assert report["equal"]
    assert report["text"]["lines"] == [35, 35]
    assert [side["steps"] for side in report["sides"].values()] == [30, 30]
    assert all(side["step_seconds"] > 0 for side in report["sides"].values())
    assert len(report["history"]) == 30
    assert len(report["history"][0]["gradients"]) == len(report["parameters"]) == 6
    assert all(0 <= each["ulp"] < 100 for each in report["worst"].values())
    assert any(each["absolute"] > 0 for each in report["worst"].values())
    assert report["operations"]["compared"] > 100
    assert not list(folder.glob("tinygrad_mnist-*"))


DIFFERS = """
    import torch

    ours = "tinygrad" in torch.__version__

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * (2.5 if ours and step == 3 else 2)

    weight = torch.ones(3, requires_grad=True)
    bias = torch.zeros(3, requires_grad=True)
    print("weight", weight)
    for step in range(1, 5):
        loss = (Wrong.apply(weight) + bias).sum()
        loss.backward()
        print(f"{step} {weight.grad[0]:.2f}")
        weight.grad = bias.grad = None
        if step == 2:
            offset = torch.ones(3) * (3 if ours else 1)
"""


def test_what_differs_is_found(write):
    report = compare_script(write("differs.py", DIFFERS))
    assert not report.equal
    assert report.texts.different == (4,)
    assert report.texts.first == (4, "3 2.00", "3 2.50")
    assert report.loss.worst[1].absolute == 0
    assert report.gradients["bias"].worst[1].absolute == 0
    step, apart = report.gradients["weight"].first_beyond
    assert (step, apart.absolute) == (3, 0.5)
    assert not report.gradients["weight"].forked
    assert report.fork == (3, "gradient of weight", apart)
    first = report.operations.first
    assert (first.name, first.shape, first.step) == ("mul", (3,), 3)
    assert first.place.endswith("differs.py\0" + "24")
    assert first.difference.absolute == 2
    assert "beyond the bounds at step 3 by 5.0e-01 (gradient of weight)" in verdict(report)
    only_parts_differ(report)
    assert {name: each.absolute for name, each in report.parameters.items()} == {
        "weight": 0,
        "bias": 0,
    }


def only_parts_differ(report):
    """Operations alone decide where no step compares what they lead to."""
    parts = copy(report)
    parts.texts, parts.gradients = compare_texts("", ""), {}
    assert parts.equal
    assert any(line.endswith("build in two ways") for line in verdict(parts))
    parts.steps = parts.steps[:2]
    assert not parts.equal


CHAOS = """
    import torch

    ours = "tinygrad" in torch.__version__
    x = torch.tensor([0.3 + (1e-7 if ours else 0)], requires_grad=True)
    net = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    w = torch.tensor([1.0, 0.0], requires_grad=True)
    for step in range(1, 61):
        nearly_0 = torch.tensor([0.0, 1e-8 if ours and step in {forks} else 0.0])
        loss = (1.9 * x * x**1).sum() + net(w * 1 + nearly_0).sum()
        loss.backward()
        with torch.no_grad():
            x.copy_(3.9 * x * (1 - x) + 0 * x.grad)
            x.grad = w.grad = None
"""


def test_chaos_forks_and_lockstep_holds_it(write):
    free = compare_script(write("chaos.py", CHAOS.format(forks=())), watched_steps=0)
    assert free.gradients["x"].forked
    assert not free.equal
    assert any(line.startswith("forked at step ") for line in verdict(free))
    assert free.operations.compared == 0
    locked = compare_script(
        write("chaos.py", CHAOS.format(forks=(5, 7))), watched_steps=0, lockstep=True
    )
    assert locked.gradients["x"].worst[0] == 1
    later = [apart.ulp for step, apart in locked.gradients["x"].differences if step > 1]
    assert max(later) < 10
    a_choice_is_named_and_proved_to_be_one(locked)


def a_choice_is_named_and_proved_to_be_one(report):
    assert report.steps_beyond == [5, 7]
    one, other = report.again.forks
    assert (one.step, one.operation, one.layer, one.count) == (5, "Relu", "1", 1)
    assert one.place.endswith("chaos.py\0" + "10")
    ((index, theirs, ours),) = one.elements
    assert (index, theirs, ours) == ([1], 0, pytest.approx(1e-8))
    assert (other.step, other.operation) == (7, "Relu")
    assert report.again.steps_beyond == []
    assert report.equal
    *_, looked_at, last = verdict(report)
    assert looked_at == "steps 5, 7: equal once each operation starts from PyTorch's numbers"
    assert last.endswith(", but for what rounding made choose otherwise")
    report.again.loss.add(7, np.ones(1, np.float32), np.zeros(1, np.float32))
    *_, looked_at, last = verdict(report)
    assert looked_at == "step 7: differs even where each operation starts from PyTorch's numbers"
    assert last == "NOT EQUAL within 1000 ulp or 1e-06"


FAILS = """
    import torch

    print(list(set("what a lovely day it is to learn of sets".split())))
    w = torch.ones(2, requires_grad=True)
    w.sum().backward()
    {last}
"""


def test_an_error_on_one_side_is_told(write):
    report = compare_script(write("fails.py", FAILS.format(last="torch.fft.fft(w)")))
    assert not report.equal
    assert report.texts.equal
    assert report.sides[0].error is None
    assert report.sides[1].error.startswith("Unsupported: torch.fft is not supported")
    assert report.sides[1].place == "fails.py, line 7"
    assert any(
        "tinygrad_mnist ended with an error (fails.py, line 7)" in s for s in verdict(report)
    )


def test_the_same_error_on_both_sides_is_equal_and_sets_of_strings_have_one_order(
    write, monkeypatch
):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    report = compare_script(write("fails.py", FAILS.format(last="w @ torch.ones(3)")))
    assert report.sides[0].error.startswith("RuntimeError: ")
    assert report.sides[0].error == report.sides[1].error
    assert report.equal


OTHERWISE = """
    # Prose

    ```python
    import random
    import numpy as np
    import torch
    torch.rand(2), random.random(), np.random.rand()
    ```

    ```python
    model = torch.nn.Linear(2, 1)
    class Trainer:
        def __init__(self, parts):
            self.parts = parts
        def step(self, x):
            scale = self.parts["scale"]
            (scale * self.parts["net"](x)).sum().backward()
    x = torch.rand(3, 2)
    Trainer({"net": model, "scale": torch.rand(1, requires_grad=True)}).step(x)
    torch.autograd.grad(model(x).sum(), [model.weight, model.bias])
    if "tinygrad" in torch.__version__:
        model(x).sum().backward()
    raise SystemExit(3)
    ```
"""


def test_a_notebook_with_seeds_and_one_step_more(write):
    report = compare_script(write("book.md", OTHERWISE), seed=5)
    assert report.texts.equal
    assert report.texts.lines == (2, 2)
    assert set(report.gradients) == {"model.weight", "model.bias", "self.parts['scale']"}
    assert len(report.asked_for.differences) == 2
    assert (report.sides[0].exit, report.sides[1].exit) == (3, 3)
    assert report.odd == ["backward was called 1 on torch and 2 on tinygrad_mnist"]
    assert not report.equal


def test_a_process_that_dies_is_told_and_its_forks_say_nothing(write):
    report = compare_script(
        write(
            "dies.py",
            """
            import os
            import torch

            w = torch.ones(1, requires_grad=True)
            (w * 2).backward()
            child = os.fork()
            if not child:
                (w * 3).backward()
                raise SystemExit
            os.waitpid(child, 0)
            if "tinygrad" in torch.__version__:
                os._exit(0)
            """,
        )
    )
    assert [side.steps for side in report.sides] == [1, 1]
    assert report.sides[0].error is None
    assert report.sides[1].error == "its process ended with code 0"
    assert not report.equal


def test_a_gpu_that_is_not_there(write):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ScriptError, match="no CUDA device here"):
        compare_script(write("any.py", "print(1)\n"), device="cuda")


def test_without_pytorch_a_sentence_says_so(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ScriptError, match="PyTorch is not installed"):
        compare_script(write("any.py", "print(1)\n"))


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(ScriptError, match="cannot be read"):
        compare_script(tmp_path / "nowhere.py")
