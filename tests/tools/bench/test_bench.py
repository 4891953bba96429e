"""A script's rounds: what counts, what is told, in processes that are made up; then real ones."""

import json
import subprocess
import sys

import pytest

from tinygrad_mnist.tools.bench import bench_script
from tinygrad_mnist.tools.bench.race import COMPILES_NOTHING
from tinygrad_mnist.tools.bench.report import CONTESTANTS, Run, tables, verdict
from tinygrad_mnist.tools.bench.spans import BACKWARD, Span, medians
from tinygrad_mnist.tools.scripts import ScriptError

STEP = {"eager": 1.0, "compiled": 0.5, "torch": 2.0, "torch-compiled": 4.0}
PROFILES = {
    "eager": {"outer": [["forward", "linear", 3.0], ["forward", "relu", 1.0]],
              "all": [], "lines": {"linear": "fit.py, line 3"}, "step": 5.0},
    "torch": {"outer": [], "all": [["forward", "linear", 1.0]], "lines": {}, "step": 5.0},
}  # fmt: skip


class Machine:
    """A clock that is made up: each run takes the steps that its contestant takes."""

    def __init__(self, **changes):
        self.order, self.changes = [], changes

    def __call__(self, name, told):
        self.order.append(name)
        if told["profiled"]:
            return Run(profile=PROFILES[name])
        ends = [10 + STEP[name] * number for number in range(20)]
        asked = self.changes.get(name.replace("-", "_"), {})
        changed = {"losses": {"backward": [0.5] * 20, "compiled": []}, "compiled": 1,
                   "printed": "loss 0.5\n", **asked}  # fmt: skip
        times = {"optimizer": ends, "backward": ends, "compiled": []}
        return Run(**{"times": times, "ended": ends[-1], "imported": 2.0, **changed})


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "fit.py"
    path.write_text("import torch\n", encoding="utf-8")
    return path


def row(report, name):
    return next(each for each in report.rows if each.name == name)


def test_rounds_begin_with_another_each_time(script):
    machine = Machine()
    bench_script(script, rounds=2, runner=machine)
    names = list(CONTESTANTS)
    assert machine.order == [*names, *names[1:], names[0], "eager", "torch"]


def test_speeds_are_pytorchs_time_over_theirs(script):
    report = bench_script(script, rounds=3, runner=Machine())
    assert {each.name: report.speed(each).median for each in report.rows} == {
        "eager": 2.0, "compiled": 4.0, "torch": 1.0, "torch-compiled": 0.5
    }  # fmt: skip
    assert report.equal
    assert report.kind == "optimizer"
    assert len(tables(report)) == 2


def test_the_first_operation_that_is_slower_is_told_with_its_line(script):
    report = bench_script(script, rounds=1, runner=Machine())
    assert report.first_loss() == ("forward", "linear", 3.0, 1.0, "fit.py, line 3")
    assert any("linear (fit.py, line 3), 3 times" in said for said in verdict(report))
    assert any("not compared: " in said and "relu" in said for said in verdict(report))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"losses": {"backward": [0.5, 0.6] * 10, "compiled": []}}, "loss of step 2"),
        ({"printed": "accuracy 0.9\n"}, "printed line 1"),
        ({"times": {"optimizer": list(range(15)), "backward": [], "compiled": []}}, "15 steps"),
    ],
)
def test_times_of_other_results_do_not_count(script, change, told):
    report = bench_script(script, rounds=2, runner=Machine(compiled=change))
    assert told in row(report, "compiled").differs
    assert report.speed(row(report, "compiled")) is None
    assert not report.equal
    assert row(report, "eager").counts


def test_names_of_nodes_are_no_results(script):
    told = "tensor(0.5, grad_fn=<{}>)\n"
    changes = {
        name.replace("-", "_"): {"printed": told.format(node)}
        for name, node in zip(CONTESTANTS, ("MeanBackward0", "MeanBackward0", "MeanBackward0",
                                            "CompiledFunctionBackward"), strict=True)
    }  # fmt: skip
    report = bench_script(script, rounds=1, runner=Machine(**changes))
    assert all(each.counts for each in report.rows)


def test_late_roundings_are_a_note(script):
    losses = {"backward": [0.5] * 15 + [0.6] * 5, "compiled": []}
    report = bench_script(script, rounds=1, runner=Machine(eager={"losses": losses}))
    assert report.equal
    assert "from step 16 on" in row(report, "eager").note


def test_a_script_that_compiles_nothing_is_told_so(script):
    nothing = {name.replace("-", "_"): {"compiled": 0} for name in CONTESTANTS}
    report = bench_script(script, rounds=2, runner=Machine(**nothing))
    assert row(report, "compiled").missing == COMPILES_NOTHING
    assert report.equal


def test_a_failure_is_a_row_with_its_reason(script):
    report = bench_script(script, rounds=2, runner=Machine(torch={"fault": "fails: no"}))
    assert row(report, "torch").missing == "fails: no"
    assert not report.equal
    assert row(report, "eager").counts


def test_an_interrupt_leaves_what_is_known(script):
    machine = Machine()

    def interrupted(name, told):
        if len(machine.order) == 5:
            raise KeyboardInterrupt
        return machine(name, told)

    report = bench_script(script, rounds=9, runner=interrupted)
    assert report.interrupted
    assert [len(each.runs) for each in report.rows] == [1, 1, 1, 1]
    assert verdict(report)[-1].startswith("stopped")
    assert json.loads(report.as_json())["interrupted"]


def test_a_contestant_that_is_none_is_refused(script):
    with pytest.raises(ScriptError, match="'jax' is none of the contestants: eager"):
        bench_script(script, only=["jax"])


def test_operations_are_medians_over_steps():
    spans = [
        each
        for start, lasts in ((0, 1), (100, 2), (200, 50))
        for each in (
            Span(BACKWARD, start, start + 60),
            Span("autograd::engine::evaluate_function: AddmmBackward0", start, start + lasts),
            Span("AddmmBackward0", start, start + lasts),
            Span("aten::linear", start + 70, start + 80),
            Span("aten::addmm", start + 71, start + 80),
        )
    ]
    found = medians(spans)
    assert found.outer == pytest.approx(
        {("backward", "AddmmBackward0"): 2e-6, ("forward", "linear"): 10e-6}
    )
    assert found.all["forward", "addmm"] == pytest.approx(9e-6)


SCRIPT = """\
import sys
import torch
weights = torch.ones(3, requires_grad=True)
optimizer = torch.optim.SGD([weights], lr=0.1)

@torch.compile
def step(x):
    loss = ((weights * x) ** 2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()

if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        loss = step(torch.rand(3))
    print("loss", loss.item())
"""


def test_a_script_is_timed_as_it_is(tmp_path):
    path = tmp_path / "fit.py"
    path.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_mnist", "bench", path, "--rounds", "1", "--only", "eager",
         "--only", "compiled", "--json", tmp_path / "out.json", "30"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert told["step"] == "call of the compiled function"
    assert all(each["times"]["seconds"][0] > 0 for each in told["rows"])
    assert ("backward", "PowBackward0") in {(o["phase"], o["name"]) for o in told["operations"]}
