"""Profiling and timing: what is told of, in PyTorch's form; the engine is as before afterwards."""

import json
import re
import warnings

import pytest
import torch
import torch.utils.benchmark

import tinygrad_mnist as ours
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.engine.primitive import Primitive

COMPUTE = Primitive.compute


@pytest.fixture(autouse=True)
def _as_before():
    yield
    assert Primitive.compute is COMPUTE
    assert not OBSERVERS
    assert backward_mode.vjp is None


def train(engine, profiler):
    model = engine.nn.Linear(3, 2)
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    with profiler.record_function("mine"):
        loss = engine.relu(model(engine.ones(4, 3))).sum()
    loss.backward()
    optimizer.step()


def test_what_is_told():
    profiler = ours.profiler
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as found:
        train(ours, profiler)
    train(ours, profiler)
    averages = {event.key: event for event in found.key_averages()}
    assert {"mine", "aten::relu", "AddmmBackward0", "Optimizer.step#SGD.step"} <= averages.keys()
    assert averages["ReluBackward0"].count == 1
    for event in averages.values():
        assert event.cpu_time_total >= event.self_cpu_time_total >= 0
    mine = averages["mine"]
    inner = sum(averages[key].cpu_time_total for key in averages if key.startswith("aten::"))
    assert mine.self_cpu_time_total <= mine.cpu_time_total <= mine.self_cpu_time_total + inner
    assert "key=mine" in repr(mine)
    total = found.events().self_cpu_time_total
    assert total == pytest.approx(found.total_average().self_cpu_time_total)


def test_the_table_is_pytorchs():
    tables = []
    for engine in (ours, torch):
        with engine.autograd.profiler.profile() as found:
            engine.ones(3).add(1)
        table = found.key_averages().table(sort_by="self_cpu_time_total", row_limit=1)
        tables.append([line.strip() for line in table.splitlines()])
        assert "aten::add" in str(found)
    for mine, theirs in zip(*tables, strict=True):
        if "-" not in mine and "aten" not in mine:
            assert re.sub(r"[\d.]+[mu]?s", "TIME", mine) == re.sub(r"[\d.]+[mu]?s", "TIME", theirs)
        assert len(mine.split()) == len(theirs.split())


@pytest.mark.filterwarnings("ignore:Profiler won't be using warmup")
def test_schedules():
    plans = ({"wait": 1, "warmup": 1, "active": 2, "repeat": 2},
             {"wait": 0, "warmup": 0, "active": 1, "skip_first": 3})  # fmt: skip
    for settings in plans:
        have, want = (engine.profiler.schedule(**settings) for engine in (ours, torch))
        assert [have(n).name for n in range(12)] == [want(n).name for n in range(12)]
    with pytest.raises(AssertionError, match="active must be at least 1"):
        ours.profiler.schedule(wait=0, warmup=1, active=0)
    seen = []
    for engine in (ours, torch):
        plan = engine.profiler.schedule(**plans[0])
        told = []
        seen.append(told)

        def ready(found, told=told):
            told.append((found.step_num, sum(e.key == "aten::exp" for e in found.events())))

        with (
            warnings.catch_warnings(action="ignore"),
            engine.profiler.profile(schedule=plan, on_trace_ready=ready) as found,
        ):
            for _ in range(9):
                engine.ones(1).exp()
                found.step()
    assert seen[0] == seen[1]


def test_traces(tmp_path):
    handler = ours.profiler.tensorboard_trace_handler(str(tmp_path / "log"), "worker")
    with pytest.warns(UserWarning, match="only time is measured here, not with_stack"):
        profiler = ours.profiler.profile(on_trace_ready=handler, with_stack=True)
    with pytest.raises(ValueError, match="mine"), profiler, ours.profiler.record_function("outer"):
        raise ValueError("mine")
    (file,) = (tmp_path / "log").glob("worker.*.pt.trace.json")
    (event,) = json.loads(file.read_text())["traceEvents"]
    assert (event["name"], event["ph"]) == ("outer", "X")


def test_timers():
    names = {"x": 1000}
    for engine in (ours, torch):
        timer = engine.utils.benchmark.Timer(
            "sum(range(x))",
            "y = 3",
            globals=names,
            label="sum",
            sub_label="of two",
            description="plain",
        )
        once, often = timer.timeit(50), timer.blocked_autorange(min_run_time=0.05)
        assert once.number_per_run == 50
        assert once.median == once.mean == once.times[0] == once.raw_times[0] / 50
        assert len(often.times) > 1
        assert often.iqr >= 0
        lines = [re.sub(r"[\d.]+ [mun]?s", "TIME", line) for line in repr(once).splitlines()[1:]]
        assert lines == ["sum: of two", "plain", "setup: y = 3", "  TIME",
                         "  1 measurement, 50 runs , 1 thread"]  # fmt: skip
        assert "Median: " in repr(often)
        assert engine.utils.benchmark.Timer("torch.ones(1)").timeit(1).mean > 0
    with pytest.raises(NotImplementedError, match="Python alone"):
        ours.utils.benchmark.Timer("1;", language="c++")
