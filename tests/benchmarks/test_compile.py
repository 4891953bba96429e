"""The contestants of `benchmarks.compile` train the same model, and a wrong one is not hidden."""

import sys

import numpy as np
import pytest

from benchmarks.compile import by_hand, contest, marks, on_cuda, race, tasks, torchlike, with_jax
from benchmarks.compile.__main__ import main
from benchmarks.compile.settings import SETTINGS, Setting
from tinygrad_mnist.app.datasets import synthetic

TINY = {
    "logistic-64": Setting("logistic", 8, 4, 0.5),
    "mlp-64": Setting("mlp", 8, 4, 0.1),
    "cnn-64": Setting("cnn", 4, 3, 0.1, 0.9),
}
HERE = (torchlike.EAGER, *torchlike.PYTORCH[:2], by_hand.NUMPY)
EXTRA = {"jax": with_jax.JAX, "autograd": (by_hand.AUTOGRAD,)}


def task(name):
    pixels, labels = synthetic.draw(32)
    x = pixels.reshape(-1, 784).astype(np.float32) / 256
    return tasks.make(name, x, labels.astype(np.int64), TINY[name])


def assert_same_loss(contestants, name):
    given = task(name)
    right = contest.right_loss(given)
    runners = race.start(contestants, given)
    assert [runner.missing for runner in runners] == [""] * len(runners)
    for runner in runners:
        np.testing.assert_allclose(runner.loss, right, rtol=1e-4, err_msg=runner.name)


@pytest.mark.parametrize("name", TINY)
def test_contestants_reach_the_same_loss(name):
    assert_same_loss(HERE, name)


def test_the_compiled_step_reaches_the_same_loss():
    assert_same_loss([torchlike.COMPILED], "logistic-64")


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("package", EXTRA)
def test_contestants_of_the_extra_reach_the_same_loss(package, name):
    pytest.importorskip(package, reason=f"{package} comes with the extra `benchmark`")
    assert_same_loss(EXTRA[package], name)


@pytest.mark.cuda
@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("contestant", on_cuda.ON_CUDA, ids=lambda contestant: contestant.name)
def test_contestants_on_a_gpu_reach_the_same_loss(contestant, name):
    if contestant.name.startswith("JAX"):
        pytest.importorskip("jax", reason="jax comes with the extra `benchmark`")
    on_cuda.prepare()
    assert_same_loss([contestant], name)


def test_without_a_gpu_a_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("benchmarks.compile.__main__.limit_threads", lambda *arguments: None)
    for line, told in [("--cuda", "finds no CUDA device"), ("cold --cuda", "not for cold")]:
        with pytest.raises(SystemExit) as left:
            main(line.split())
        assert left.value.code == 2
        assert told in capsys.readouterr().err


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "autograd", None)
    (runner,) = race.start([by_hand.AUTOGRAD], task("logistic-64"))
    found = race.result(runner, 1.0)
    assert found.microseconds is None
    assert "the extra `benchmark` brings it" in found.missing
    assert "does not run" in race.table("", [found], 1.0)


def slow(losing):
    def make(given):
        return lambda: losing

    return make


def test_a_wrong_loss_is_marked_and_is_no_rival():
    contestants = [
        tasks.Contestant("favourite", slow(0.5)),
        tasks.Contestant(torchlike.PYTORCH[0].name, slow(0.6)),
    ]
    favourite, other = race.start(contestants, task("mlp-64"))
    race.race(favourite, [other], steps=1, rounds=2)
    found = [race.result(favourite, 0.5, favourite=True), race.result(other, 0.5)]
    assert [each.same_loss for each in found] == [True, False]
    assert "WRONG LOSS" in race.table("", found, 0.5)
    (mark,) = marks.marks("mlp-64", found)
    assert not mark.reached
    assert "NOT MEASURED" in str(mark)


def test_marks_compare_with_the_fastest():
    names = [each.name for each in torchlike.PYTORCH]
    found = [
        race.Result(name, 1.0, ratio, 1.0, ratio, 0.5, True, "")
        for name, ratio in zip(names, (3.0, 1.4, 2.0, 5.0), strict=True)
    ]
    (mark,) = marks.marks("mlp-64", found)
    assert (mark.found, mark.reached) == (1.4, False)
    assert names[1] in str(mark)
    assert "NOT REACHED" in str(mark)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("passes", "cold", "--threads", *SETTINGS))


def test_an_unknown_task_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "transformer"])
    assert "transformer" in capsys.readouterr().err
