"""Intervals, reports, comparisons: what noisy numbers may and may not tell."""

import json
import re
import sys

import numpy as np
import pytest

import tinygrad_mnist
from benchmarks import (
    compare,
    costs,
    jobs,
    marks,
    measure,
    page,
    pictures,
    probe,
    regression,
    results,
    rounds,
    tables,
)
from benchmarks.__main__ import main
from benchmarks.contestants.ours import COMPILED
from tinygrad_mnist.tools.bench.intervals import interval, ratio


def row(name, seconds, same_loss=True, missing=""):
    return rounds.Row(name, missing, same_loss=same_loss, loss=0.5, memory=1.0,
                      seconds=seconds, cpu_seconds=seconds).as_dict()  # fmt: skip


def report(*rows):
    machine = {"processor": "a processor", "instructions": [], "cores": 2, "governor": "",
               "load": 0.0, "system": "", "python": "3", "versions": {}}  # fmt: skip
    found = results.begin(machine, threads=1, rounds=3)
    job = {"model": "mlp", "batch": 64, "steps": 2, "loss": 0.5, "operations": 1.0, "bytes": 1.0}
    found["jobs"]["mlp-64"] = job | {"floor": 1e-6, "rows": [dict(each) for each in rows]}
    return found


OURS = row(COMPILED.name, [1.0, 1.1, 0.9])


def test_an_interval_holds_its_median_and_is_the_same_each_time():
    found = interval([3.0, 1.0, 2.0, 10.0])
    assert found.low <= found.median <= found.high
    assert found.median == 2.5
    assert found == interval([3.0, 1.0, 2.0, 10.0])
    with pytest.raises(ValueError, match="no numbers"):
        interval([])


def test_a_ratio_is_taken_round_by_round():
    assert ratio([1.0, 10.0, 100.0], [2.0, 20.0, 200.0]) == interval([2.0, 2.0, 2.0])


def test_marks_are_held_against_the_fastest_with_the_right_loss():
    rivals = [row("PyTorch, functional", [3.0, 3.3, 2.7]),
              row("PyTorch, nn + optim", [1.4, 1.54, 1.26]),
              row("torch.compile, whole step", [0.1, 0.1, 0.1], same_loss=False)]  # fmt: skip
    (line,) = marks.told(report(OURS, *rivals))
    assert "1.4 [1.4, 1.4] (PyTorch, nn + optim) NOT REACHED" in line
    (line,) = marks.told(report(OURS))
    assert "NOT MEASURED" in line


def test_a_wrong_loss_and_a_missing_package_are_told():
    wrong = row("JAX, jit", [1.0] * 3, same_loss=False)
    told = "\n".join(tables.text(report(OURS, wrong, row("MyGrad", [], missing="not here"))))
    assert "WRONG LOSS" in told
    assert "MyGrad                            does not run: not here" in told
    assert "| JAX, jit | – |" in tables.overview(report(OURS, wrong))


def test_what_moved_beyond_its_interval_is_told():
    before = report(OURS, row("JAX, jit", [2.0, 2.2, 1.8]), row("MyGrad", [4.0, 4.4, 3.6]))
    after = report(OURS, row("JAX, jit", [1.0, 1.1, 0.9]), row("MyGrad", [4.0, 4.4, 3.6]))
    lines = list(compare.told(before, after))
    assert lines[0].startswith("mlp-64: ours beside JAX, jit became slower")
    assert lines[-1] == "1 of 2 ratios agree within their intervals (50 %)"


def test_a_report_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "results" / results.file_name(report(OURS))
    results.write(report(OURS), path)
    assert results.read(path)["jobs"] == report(OURS)["jobs"]
    assert path.name.endswith("-a-processor-1.json")


@pytest.mark.parametrize("change", [
    lambda found: found.pop("machine"),
    lambda found: found.update(version=2),
    lambda found: found["jobs"]["mlp-64"]["rows"][0].update(seconds=[-1.0]),
    lambda found: found.update(more=1),
])  # fmt: skip
def test_a_report_that_is_none_is_refused_by_place(change, tmp_path):
    found = report(OURS)
    change(found)
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found))
    with pytest.raises(ValueError, match=r"found.json, at \$"):
        results.read(path)


@pytest.mark.parametrize(("text", "told"), [
    ("{", "is no JSON"), ("[]", "at $"), ("[" * 100_000, "is no JSON"), ('"\x1b[2J"', "control"),
    ('{"version": Infinity}', "Infinity is no number"), ('"\\u001b"', "control"),
])  # fmt: skip
def test_a_broken_file_ends_with_a_sentence(text, told, tmp_path, capsys):
    path = tmp_path / "found.json"
    path.write_text(text)
    assert main(["show", str(path)]) == 2
    assert told in capsys.readouterr().err


def test_a_file_of_bytes_ends_with_a_sentence(tmp_path, capsys):
    path = tmp_path / "found.json"
    path.write_bytes(bytes(range(128, 256)))
    assert main(["show", str(path)]) == 2
    assert "found.json is no JSON" in capsys.readouterr().err


def test_files_with_nothing_in_common_are_not_compared(tmp_path, capsys):
    results.write(report(OURS), tmp_path / "a.json")
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 2
    assert "no job and contestant in common" in capsys.readouterr().err


def with_operations_and_costs():
    found = report(OURS)
    slow, fast = ([3e-6, 3.3e-6], [1e-6, 1.1e-6]), ([1e-3, 1e-3], [1.5e-3, 1.5e-3])
    found["operations"] = [
        {"operation": name, "backward": False, "size": "small", "ours": ours, "theirs": theirs}
        for name, (ours, theirs) in (("x.tril()", slow), ("x + y", fast))
    ]
    found["costs"] = [costs.entry("import", "PyTorch", "s", [2.0, 2.2, 2.1], ""),
                      costs.entry("import", "JAX", "s", [], "not here"),
                      costs.entry("held", "PyTorch", "MiB", [13.5], "")]  # fmt: skip
    return found


def test_operations_and_costs_are_told():
    told = list(tables.operation_lines(with_operations_and_costs()))
    assert told[0].startswith("small, forward: 2 rows, in the median 1.83 of PyTorch's time; 1 ov")
    assert told[1].endswith("slowest: x.tril() 3.00, x + y 0.67")
    lines = tables.cost_table(with_operations_and_costs()).splitlines()
    assert lines[0] == "| | PyTorch | JAX |"
    assert lines[2:] == ["| import | 2.1 s | not here |", "| held, MiB | 13.5 | – |"]


def test_a_file_keeps_what_is_not_measured_again(tmp_path):
    path = tmp_path / "found.json"
    old = with_operations_and_costs()
    results.write(old, path)
    new = report()
    results.take_over(new, path)
    assert (new["jobs"], new["costs"]) == (old["jobs"], old["costs"])
    for change in ({"threads": 2}, {"machine": old["machine"] | {"processor": "another"}}):
        with pytest.raises(ValueError, match="name another file by --output"):
            results.take_over(report() | change, path)


def test_a_recorded_pass_holds_memory():
    (found,) = costs._probed("graph", ("tinygrad_mnist",), ("",), 1, rounds.environment(1))
    assert found["unit"] == "MiB"
    assert 0 < found["numbers"][0] < 1000


@pytest.mark.parametrize("words", [("chain", "tinygrad_mnist", "100"), ("chain", "PyTorch", "9"),
                                   ("chain", "nobody", "9")])  # fmt: skip
def test_a_probe_tells_a_figure_or_why_not(words, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    probe.main(*words)
    told = json.loads(capsys.readouterr().out)
    if words[1] == "nobody":
        assert told == {"missing": "jax is not installed; the extra `benchmark` brings it"}
    else:
        assert 0 < told["number"] < 1000


@pytest.mark.parametrize(("ratios", "passed", "word"), [
    ([1.4], True, "as before"),
    ([1.6, 1.7, 1.49], True, "as before"),
    ([1.6, 1.7, 1.51], False, "SLOWER in 3 attempts"),
])  # fmt: skip
def test_a_stage_is_slower_when_it_is_so_three_times(ratios, passed, word, monkeypatch, capsys):
    left = list(ratios)
    monkeypatch.setattr(regression, "USUAL", {("logistic-8x4", regression.EAGER): 1.0})
    monkeypatch.setattr(regression.Stage, "measure", lambda self, job: interval([left.pop(0)]))
    assert regression.main() == (0 if passed else 1)
    assert word in capsys.readouterr().out
    assert not left


def test_copies_that_nobody_needs_are_seen(monkeypatch):
    job = jobs.make("logistic-4096x1", *regression.digits())
    stage = regression.Stage("logistic-4096", regression.FORWARD, 1.0)
    before = stage.measure(job, 5).median
    matmul = tinygrad_mnist.Tensor.__matmul__

    def copying(a, b):
        for _ in range(8):
            a = a.clone()
        return matmul(a, b)

    monkeypatch.setattr(tinygrad_mnist.Tensor, "__matmul__", copying)
    assert stage.measure(job, 5).median > 2 * before


def test_help_teaches_and_wrong_requests_are_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("compare A B", "--full", "--threads"))
    for line in ("compare a.json", "--rounds 0"):
        with pytest.raises(SystemExit) as left:
            main(line.split())
        assert left.value.code == 2
    assert main(["--contestants", "nobody"]) == 2
    assert "nobody is named so" in capsys.readouterr().err


def test_jobs_and_contestants_are_listed(capsys):
    assert main(["--list"]) == 0
    lines = {line.strip() for line in capsys.readouterr().out.splitlines()}
    assert {"mlp-256", COMPILED.name} <= lines


def test_a_race_of_processes(tmp_path):
    job = jobs.make("logistic-8x4", np.ones((32, 784), np.float32) / 2, np.arange(32) % 10)
    job.save(tmp_path / "job.npz")
    names = ["NumPy by hand", "tinygrad_mnist, eager", "micrograd"]
    rows = rounds.race(names, tmp_path / "job.npz", 1, 2, measure.right_loss(job))
    assert [len(each.seconds) for each in rows] == [2, 2, 0]
    assert [each.counts for each in rows] == [True, True, False]
    assert rows[2].missing


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.name)
def test_a_page_holds_what_its_files_of_results_say(path):
    text = path.read_text(encoding="utf-8")
    assert page.made(text) == text
    assert text.count("<!-- results: ") == text.count("<!-- end of results -->") > 1


FIGURE = re.compile(
    r"\d ?(µs|ms|GFLOP/s|GB/s|images/s)\b"
    r"|\d\S* (to \d\S* )?times (as fast|faster|slower|as slow|PyTorch)"
)
ALL_PAGES = sorted([*page.DOCS.rglob("*.md"), *page.DOCS.parent.glob("*.md")])


@pytest.mark.parametrize(
    "path", ALL_PAGES, ids=lambda path: str(path.relative_to(page.DOCS.parent))
)
def test_no_figure_of_speed_is_typed_by_hand(path):
    found = [
        line for line in page.typed(path.read_text("utf-8")).splitlines() if FIGURE.search(line)
    ]
    assert not found


def test_a_figure_that_is_typed_would_be_seen():
    assert all(
        map(FIGURE.search, ("takes 3.5 µs", "2 to 3 times as fast", "106 GFLOP/s", "0.5 ms"))
    )
    assert (
        FIGURE.search(page.typed("<!-- results: a.json b -->\n\n5 µs\n<!-- end of results -->"))
        is None
    )


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_page_has_the_pictures_that_it_names(kind):
    named = re.findall(r"images/speed/(\S+)\.svg", page.PAGES[0].read_text("utf-8"))
    assert {path.stem for path in pictures.FOLDER.glob(f"*.{kind}")} == {*named}


@pytest.mark.parametrize("name", ["bars", "sizes", "roofline"])
def test_a_picture_says_where_we_lose(name):
    found = report(OURS, row("JAX, jit", [0.5, 0.55, 0.45]), row("MyGrad", [4.0, 4.4, 3.6]))
    found["limits"] = {"flops": 1e9, "bandwidth": 1e9}
    found["jobs"]["mlp-256"] = found["jobs"]["mlp-64"] | {"batch": 256}
    told = pictures.caption(found, name)
    assert ("JAX, jit (0.50)" in told) == (name != "roofline")
    assert "MyGrad" not in told
