"""`train --report` and `draw`: what is in their pages, however a run begins and ends."""

import json
import re
import shlex

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.app import training_report
from tinygrad_mnist.app.train import Callback, Callbacks, NotFiniteError, Run, Settings
from tinygrad_mnist.app.training_report import TrainingReport
from tinygrad_mnist.serialization.files import WriteError

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def read(path):
    """What a page is made from."""
    return json.loads(DATA.search(path.read_text(encoding="utf-8"))[1])


def told(path):
    """How the page says that the run stands."""
    return read(path)["state"]["told"]


@pytest.fixture
def tensors(digits):
    return digits.map(torch.from_numpy)


class At(Callback):
    """Does something at a step, and after each epoch."""

    def __init__(self, step=None, act=lambda: None, after=lambda epoch: None):
        self.at, self.act, self.after, self.steps = step, act, after, 0

    def step(self, rows, loss):
        self.steps += 1
        if self.steps == self.at:
            self.act()

    def epoch(self, epoch):
        self.after(epoch)


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "logistic", "--epochs", "3"],
        ["--model", "mlp", "--optimizer", "adam", "--shuffle"],
        ["--model", "cnn", "--momentum", "0.9"],
    ],
    ids=" ".join,
)
def test_a_page_of_each_model(options, command, digits_file, tmp_path):
    path, other = tmp_path / "page.html", tmp_path / "plain.json"
    options = ["train", *options, "--data", digits_file, "--lr", "0.05"]
    reported = command(*options, "--report", path, "--json", tmp_path / "reported.json")
    plain = command(*options, "--json", other)
    assert reported.exit_code == plain.exit_code == 0
    assert reported.stdout.splitlines()[-1] == f"wrote {path}"
    page = read(path)
    history = json.loads(other.read_text())["history"]
    for ours, theirs in zip(page["history"], history, strict=True):  # watching changes nothing
        assert {**ours, "seconds": None} == {**theirs, "seconds": None}
    assert path.stat().st_size < (900_000 if page["settings"]["model"] == "mlp" else 450_000)
    assert page["state"]["kind"] == "complete"
    assert page["data"] == {
        "description": f"arrays from {digits_file}", "train": 500, "valid": 100, "test": 10,
    }  # fmt: skip
    steps = page["moments"]["steps"]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[1], steps[-1]) == (0, 1, len(history) * 8)
    assert np.sum(page["confusion"]["counts"]) == 100
    assert page["machine"]["threads"] == 1


def test_a_compiled_step(command, digits_file, tmp_path):
    path = tmp_path / "page.html"
    options = ["--compile", "--lr", "0.1", "--epochs", "1", "--data", digits_file]
    assert command("train", *options, "--report", path).exit_code == 0
    losses = read(path)["moments"]["losses"]
    assert losses[-1] < losses[0] * 0.8
    assert read(path)["command"].startswith("tinygrad-mnist train --epochs 1 --lr 0.1 --compile")


def test_the_command_repeats_the_run(command, digits_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--model", "mlp", "--optimizer", "rmsprop", "--momentum", "0.5", "--seed", "-3"]
    arguments = ["--data", digits_file, "--report", "a page.html"]
    assert command("train", *options, *arguments).exit_code == 0
    first = read(tmp_path / "a page.html")
    name, *words = shlex.split(first["command"])
    (tmp_path / "a page.html").unlink()
    assert name == "tinygrad-mnist"
    assert command(*words).exit_code == 0
    again = read(tmp_path / "a page.html")
    assert again["model"] == first["model"]
    assert again["moments"] == first["moments"]
    assert again["command"] == first["command"]


def test_the_page_goes_with_the_run(tensors, tmp_path):
    path = tmp_path / "page.html"
    seen = []
    run = Run(Settings(lr=0.1, epochs=3))
    with TrainingReport(path, run, tensors) as report:
        seen.append(told(path))
        watch = At(after=lambda epoch: seen.append(told(path)))
        result = run.train(tensors, Callbacks(report, watch))
        accuracy = [f"Validation accuracy {each.valid_accuracy:.2%}." for each in result.history]
    assert seen == [
        "Training: epoch 1 of 3.",
        f"Training: epoch 2 of 3. {accuracy[0]}",
        f"Training: epoch 3 of 3. {accuracy[1]}",
        f"Training: epoch 3 of 3. {accuracy[1]}",
    ]
    assert told(path) == f"Trained: 3 of 3 epochs. {accuracy[2]}"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_a_run_that_is_stopped(tensors, tmp_path):
    path = tmp_path / "page.html"

    def stop():
        raise KeyboardInterrupt

    run = Run(Settings(lr=0.1, epochs=5))
    with TrainingReport(path, run, tensors) as report:
        run.train(tensors, Callbacks(report, At(10, stop)))
    page = read(path)
    assert page["state"]["kind"] == "interrupted"
    assert page["state"]["told"].startswith("Stopped by hand: 1 of 5 epochs are complete.")
    assert len(page["history"]) == 1
    assert page["source"] == "the logistic model after 1 epoch"
    assert page["confusion"] is not None


@pytest.mark.parametrize(("step", "complete"), [(3, 0), (11, 1)])
def test_a_run_that_fails(step, complete, tensors, tmp_path):
    path = tmp_path / "page.html"
    run = Run(Settings(lr=0.1, epochs=2))

    def spoil():
        with torch.no_grad():
            run.job.parameters["weights"].fill_(float("nan"))

    with pytest.raises(NotFiniteError), TrainingReport(path, run, tensors) as report:
        run.train(tensors, Callbacks(report, At(step, spoil)))
    page = read(path)
    assert page["state"]["told"].startswith(
        f"Failed: {complete} of 2 epochs are complete. The loss or a weight is not finite after "
        f"step {step + 1}: try a smaller --lr."
    )
    assert len(page["history"]) == complete
    assert (page["confusion"] is None) == (complete == 0)
    assert all(np.isfinite(page["moments"]["losses"]))


def test_a_run_that_fails_from_the_command(command, digits_file, tmp_path):
    path = tmp_path / "page.html"
    options = ["--model", "mlp", "--lr", "1e30", "--data", digits_file]
    result = command("train", *options, "--report", path)
    assert result.exit_code == 1
    assert "error: stopped: 0 of 2 epochs are complete" in result.stderr
    assert f"wrote {path}" in result.stdout
    assert told(path).startswith("Failed: 0 of 2 epochs are complete. The loss")


def test_a_run_that_is_resumed(command, digits_file, tmp_path):
    path, kept = tmp_path / "page.html", tmp_path / "run.pt"
    options = ["--lr", "0.1", "--data", digits_file, "--checkpoint", kept, "--epochs", "1"]
    assert command("train", *options).exit_code == 0
    result = command("train", "--resume", kept, "--epochs", "3", "--report", path)
    assert result.exit_code == 0
    page = read(path)
    assert [epoch["epoch"] for epoch in page["history"]] == [1, 2, 3]
    assert page["batches"]["epochs"][-1] == 3
    assert len(page["batches"]["epochs"]) == 24
    assert page["moments"]["steps"][0] == 8
    assert page["moments"]["steps"][-1] == 24
    assert "--epochs 3" in page["command"]
    assert str(digits_file) in page["command"]


def test_what_cannot_be_written_is_refused_before(command, digits_file, tmp_path):
    (tmp_path / "page.html").mkdir()
    for where, said in (
        (tmp_path / "page.html", "it is a folder"),
        (tmp_path / "none" / "page.html", "its folder does not exist; create it first"),
    ):
        result = command("train", "--data", digits_file, "--report", where)
        assert result.exit_code == 1
        assert result.stderr == f"error: {where}: cannot be written ({said}).\n"
    result = command("train", "--data", digits_file, "--report", tmp_path / "page.png")
    assert result.exit_code == 2
    assert "expected a name that ends in .html" in " ".join(result.stderr.split())
    same = tmp_path / "same.html"
    result = command("train", "--data", digits_file, "--report", same, "--json", same)
    assert result.exit_code == 2


def test_a_page_that_cannot_be_written_later_stops_no_run(tensors, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    run = Run(Settings(lr=0.1))
    with TrainingReport(folder / "page.html", run, tensors) as report:
        (folder / "page.html").unlink()
        folder.rmdir()
        result = run.train(tensors, report)
    assert len(result.history) == 2
    assert isinstance(report.fault, WriteError)


def test_moments_are_dense_where_most_happens():
    wanted = sorted(training_report._spread(782, 782 * 5))
    assert wanted[:4] == [1, 3, 7, 17]
    assert wanted[-1] == 782 * 5
    assert len(wanted) <= 16
    assert training_report._spread(1, 1) == {0, 1}


@pytest.mark.parametrize("model", ["logistic", "mlp", "cnn"])
def test_draw(model, command, digits_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    options = ["train", "--model", model, "--data", digits_file, "--epochs", "1"]
    kept = ["--save", "a model.safetensors", "--checkpoint", "run.pt"]
    assert command(*options, *kept).exit_code == 0
    result = command("draw", "a model.safetensors", "--open")
    assert (result.exit_code, result.stdout) == (0, "wrote a model-draw.html\n")
    assert opened == [(tmp_path / "a model-draw.html").as_uri()]
    result = command("draw", "run.pt", "-o", "page.html")
    assert (result.exit_code, result.stdout) == (0, "wrote page.html\n")
    page, other = read(tmp_path / "page.html"), read(tmp_path / "a model-draw.html")
    assert page["model"] == other["model"]
    assert page["model"]["name"] == model
    assert page["samples"]["labels"] == list(range(10))


def test_draw_says_what_is_wrong(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no model")
    torch.save({"weights": torch.ones(3)}, tmp_path / "other.pt")
    weights = {"weights": torch.full((784, 10), float("nan")), "bias": torch.zeros(10)}
    torch.save(weights, tmp_path / "nan.pt")
    for name, said in (
        ("none.pt", "none.pt: cannot be read"),
        ("notes.txt", "notes.txt: is neither weights in safetensors nor a checkpoint"),
        ("other.pt", "other.pt: holds the weights of no model that there is"),
        ("nan.pt", "nan.pt: its weights holds numbers that are not finite"),
    ):
        result = command("draw", name, "-o", "page.html")
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error: {said}")
        assert not (tmp_path / "page.html").exists()
    assert command("draw", "nan.pt", "-o", "nan.pt").exit_code == 2
