"""`python -m reference.lockstep`: both engines side by side, and what it does when they part."""

import json
import math

import numpy as np
import pytest

from reference import lockstep
from reference.lockstep import BOUNDS, COMPARED, difference, main
from tinygrad_mnist.app import logistic
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels, save_archive

STEPS = 36


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((500, 100, 10))]
    with path.open("wb") as file:
        save_archive(file, from_pixels(parts, "synthetic", "a few digits"))
    return str(path)


@pytest.mark.parametrize("stage", logistic.STAGES)
def test_engines_keep_in_step(stage, digits_file, tmp_path, capsys):
    report = tmp_path / "report.json"
    options = ["--stage", stage, "--data", digits_file, "--steps", str(STEPS)]
    assert main([*options, "--json", str(report)]) == 0
    data, _, _, *rows, worst, verdict = capsys.readouterr().out.splitlines()
    assert data == f"data: arrays from {digits_file}"
    assert [int(row.split()[0]) for row in rows] == [1, *range(2, STEPS + 1, 2)]
    assert worst.startswith(f"worst of {STEPS} steps")
    assert verdict.startswith("in step: ")
    written = json.loads(report.read_text())
    assert written["bounds"] == BOUNDS == {"loss": 5e-6, "weights": 1e-5, "bias": 1e-5}
    assert [step["step"] for step in written["history"]] == list(range(1, STEPS + 1))
    for name in COMPARED:
        largest = max(step["differences"][name]["absolute"] for step in written["history"])
        assert written["worst"][name]["absolute"] == largest
        assert largest <= BOUNDS.get(name, 1e-5)
    losses = [step["loss_tinygrad_mnist"] for step in written["history"]]
    assert np.mean(losses[-8:]) < losses[0]


def test_both_engines_take_the_batches_in_order(digits_file, monkeypatch):
    taken = {"torch": [], "ours": []}

    def note(name, build):
        def noting(stage):
            job = build(stage)
            loss_func = job.loss_func

            def noted(out, target):
                taken[name].append(target.tolist())
                return loss_func(out, target)

            return type(job)(job.model, noted, job.parameters, job.update)

        return noting

    monkeypatch.setattr(lockstep.theirs, "build", note("torch", lockstep.theirs.build))
    monkeypatch.setattr(lockstep.ours, "build", note("ours", lockstep.ours.build))
    assert main(["--data", digits_file, "--epochs", "2", "--batch-size", "300"]) == 0
    labels = np.load(digits_file)["y_train"].tolist()
    assert taken["torch"] == taken["ours"] == [labels[:300], labels[300:]] * 2


def test_drift_fails(digits_file, monkeypatch, capsys):
    build = logistic.build

    def a_little_faster(stage):
        job = build(stage)
        return logistic.Job(
            job.model, job.loss_func, job.parameters, lambda lr: job.update(lr * 1.001)
        )

    monkeypatch.setattr(logistic, "build", a_little_faster)
    assert main(["--data", digits_file, "--steps", "10"]) == 1
    assert "DRIFTED APART: " in capsys.readouterr().out


def test_what_is_no_number_is_not_in_step(digits_file, capsys):
    assert main(["--data", digits_file, "--steps", "5", "--lr", "1e30"]) == 1
    assert "DRIFTED APART: " in capsys.readouterr().out


def test_difference_in_ulp_of_the_largest_value():
    a = np.array([1e-6, 2.0], np.float32)
    b = np.array([1e-6, np.nextafter(np.float32(2), np.float32(3))], np.float32)
    assert difference(a, a) == (0.0, 0.0)
    assert difference(a, b) == (2.0**-22, 1.0)
    assert difference(a, a + np.float32([2.0**-22, 0])).ulp == 1.0
    assert difference(a, np.array([np.nan, 2], np.float32)) == (math.inf, math.inf)
    assert difference(np.zeros(2, np.float32), np.zeros(2, np.float32)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--steps", "0"], "--steps: expected an integer from 1 on, got 0"),
        (["--stage", "cooked"], "--stage: invalid choice: 'cooked'"),
        (["--json", "no/such/report.json"], "its folder does not exist; create it first"),
    ],
)
def test_a_mistake_in_the_options(options, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(options)
    assert exit_info.value.code == 2
    assert sentence in capsys.readouterr().err


def test_missing_data_is_one_sentence(capsys):
    assert main(["--data", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("error: nowhere: ")


@pytest.mark.parametrize("stage", logistic.STAGES)
def test_mnist_keeps_in_step_over_two_epochs(stage, mnist_directory, capsys):
    assert main(["--stage", stage, "--data", str(mnist_directory)]) == 0
    assert "worst of 1564 steps" in capsys.readouterr().out
