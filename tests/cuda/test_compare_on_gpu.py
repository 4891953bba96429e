"""`compare` where PyTorch computes on a GPU, and this engine on the CPU."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from tests.cuda.conftest import ROWS
from tests.reference.climbing import LADDER, ROOT
from tinygrad_mnist.tools.compare import compare_script
from tinygrad_mnist.tools.compare.report import verdict

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("rung", ["rung01_tensors_by_hand", "rung12_device"])
def test_a_rung_is_equal(rung, digits, tmp_path):
    file = tmp_path / "report.json"
    command = ["-m", "tinygrad_mnist", "compare", LADDER / f"{rung}.py", "--device", "cuda"]
    options = ["--lockstep", "--json", file, "--", "--device", "auto", "--data", digits]
    done = subprocess.run(
        [sys.executable, *command, *options, "--epochs", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(file.read_text())
    assert report["equal"]
    theirs, ours = report["sides"].values()
    assert (theirs["devices"], ours["devices"]) == (["cuda:0"], ["cpu"])
    assert theirs["steps"] == ours["steps"] == -(-ROWS // 64)
    assert theirs["step_seconds"] > 0
    assert report["operations"]["compared"] > 50
    assert 0 < max(each["ulp"] for each in report["worst"].values()) < 1000


def write(folder, content):
    path = folder / "script.py"
    path.write_text(textwrap.dedent(content), encoding="utf-8")
    return path


PRINTS = """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print("Using", device, repr(device))
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 8).to(device)
    x = torch.rand(2, 8).to(device)
    print(x, x.device, x > 0.5)
    print(model.bias)
    loss = (model(x) ** 2).mean()
    print(loss, torch.zeros(0, 3, device=device))
    print(model.bias * 2)
    loss.backward()
    print(model.bias.grad)
    (asked_for,) = torch.autograd.grad(model(x).sum(), [model.weight])
    print({"a": [asked_for[0].cpu(), asked_for[0, 0].item()]})
"""


def test_where_tensors_lie_does_not_count_in_the_text(tmp_path):
    report = compare_script(write(tmp_path, PRINTS), device="cuda")
    assert report.texts.equal, report.texts
    assert report.equal, verdict(report)
    assert report.sides[0].devices == ("cuda:0",)
    assert report.texts.lines[0] == report.texts.lines[1] >= 10
    assert len(report.asked_for.differences) == 1


DIFFERS = """
    import torch

    on_gpu = torch.cuda.is_available()
    weight = torch.ones(3, device="cuda" if on_gpu else "cpu", requires_grad=True)
    for step in range(1, 4):
        loss = (weight * (2 if on_gpu and step == 2 else 1)).sum()
        loss.backward()
    print(weight.grad)
"""


def test_what_differs_is_found(tmp_path):
    report = compare_script(write(tmp_path, DIFFERS), device="cuda")
    assert not report.equal
    assert report.texts.first == (1, "tensor([4., 4., 4.])", "tensor([3., 3., 3.])")
    assert [step for step, apart in report.loss.differences if apart.absolute] == [2]
    assert report.gradients["weight"].first_beyond[0] == 2
    assert report.operations.first.step == 2


def test_a_script_that_asks_for_no_gpu_is_told_of(tmp_path):
    script = "import torch\nw = torch.ones(2, requires_grad=True)\nw.sum().backward()\n"
    report = compare_script(write(tmp_path, script), device="cuda")
    assert report.equal
    assert any(line.startswith("PyTorch computed on the CPU") for line in verdict(report))


def test_what_is_never_differentiated_is_said_to_be_on_no_device(tmp_path):
    script = "import torch\nprint(torch.ones(2).to('cuda' if torch.cuda.is_available() else 'cpu'))"
    report = compare_script(write(tmp_path, script), device="cuda")
    assert verdict(report) == ["equal within 1000 ulp or 1e-06"]
