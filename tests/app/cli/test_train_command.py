"""`tinygrad-mnist train`: its table, its files, and what it says when something is wrong."""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import tinygrad_mnist as torch
from reference.train import main as train_in_torch
from tinygrad_mnist.app import checkpoints, train
from tinygrad_mnist.app.cli.outputs import Bar, bar
from tinygrad_mnist.app.logistic import Epoch

STAGES = ("raw", "functional", "module")
RESULTS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")


def history_of(path):
    return json.loads(path.read_text())["history"]


def agree(ours, theirs):
    """Holds two histories to each other, to four decimals."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert one["epoch"] == other["epoch"]
        for name in RESULTS:
            assert one[name] == pytest.approx(other[name], abs=5e-5), name


@pytest.mark.parametrize("stage", STAGES)
def test_results_are_pytorchs(stage, command, digits_file, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    options = [
        *("--stage", stage, "--data", str(digits_file), "--epochs", "3", "--batch-size", "32"),
        *("--lr", "0.1", "--seed", "7"),
    ]
    assert command("train", *options, "--json", ours).exit_code == 0
    assert train_in_torch([*options, "--json", str(theirs)]) == 0
    agree(history_of(ours), history_of(theirs))


@pytest.mark.parametrize("stage", STAGES)
def test_mnist_reaches_91_percent_as_in_pytorch(stage, command, mnist_directory, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    options = ["--stage", stage, "--data", str(mnist_directory)]
    result = command("train", *options, "--json", ours)
    assert result.exit_code == 0
    assert f"data: MNIST from {mnist_directory}" in result.stdout
    assert history_of(ours)[-1]["valid_accuracy"] >= 0.91
    assert train_in_torch([*options, "--json", str(theirs)]) == 0
    agree(history_of(ours), history_of(theirs))


def test_report_has_the_references_entries(command, digits_file, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    options = ["--data", str(digits_file), "--threads", "1"]
    command("train", *options, "--json", ours)
    train_in_torch([*options, "--json", str(theirs)])
    report, reference = json.loads(ours.read_text()), json.loads(theirs.read_text())
    assert report.pop("compile") is False  # PyTorch's job has no such setting
    assert list(report) == list(reference)
    assert [list(epoch) for epoch in report["history"]] == [list(reference["history"][0])] * 2
    for name in report.keys() - {"data", "history", "versions"}:
        assert report[name] == reference[name], name
    assert report["data"] == f"arrays from {digits_file}"
    assert report["versions"]["numpy"] == np.__version__


def test_table_shows_the_results_and_the_data(command, digits_file, tmp_path):
    report = tmp_path / "report.json"
    result = command("train", "--data", digits_file, "--lr", "0.1", "--json", report)
    rows = [re.findall(r"[\d.]+", line) for line in result.stdout.splitlines() if "│" in line]
    expected = [
        [str(epoch["epoch"]), *(f"{epoch[name]:.4f}" for name in RESULTS)]
        for epoch in history_of(report)
    ]
    assert [row[:5] for row in rows] == expected
    assert f"data: arrays from {digits_file}" in result.stdout
    assert re.search(r"time: [\d.]+ s of training, [\d,]+ samples/s", result.stdout)
    assert f"wrote {report}" in result.stdout
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        "epoch 1 of 2",
        "epoch 2 of 2",
    ]


def test_defaults_are_the_tutorials(command, digits_file, tmp_path):
    report = tmp_path / "report.json"
    command("train", "--data", digits_file, "--json", report)
    settings = json.loads(report.read_text())
    names = ("stage", "epochs", "batch_size", "lr", "seed")
    assert [settings[name] for name in names] == ["raw", 2, 64, 0.5, 0]


def test_saved_parameters_are_those_of_the_last_epoch(command, digits, digits_file, tmp_path):
    saved = tmp_path / "model.safetensors"
    command("train", "--data", digits_file, "--lr", "0.1", "--save", saved)
    result = train.train(train.Settings(lr=0.1), digits.map(torch.from_numpy))
    parameters = load_file(saved)
    assert {name: array.shape for name, array in parameters.items()} == {
        "weights": (784, 10),
        "bias": (10,),
    }
    for name, array in parameters.items():
        np.testing.assert_array_equal(array, result.parameters[name])


@pytest.mark.parametrize(
    ("suffix", "signature"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_plot(suffix, signature, command, digits_file, tmp_path):
    picture = tmp_path / f"weights{suffix}"
    result = command("train", "--data", digits_file, "--plot", picture)
    assert result.exit_code == 0
    assert picture.read_bytes().startswith(signature)


def test_synthetic_digits_are_announced(command, no_mnist, tmp_path):
    report = tmp_path / "report.json"
    result = command("train", "--epochs", "1", "--json", report)
    assert result.exit_code == 0
    assert "NOT MNIST" in result.stderr
    assert "offline" in result.stderr
    assert "data: synthetic digits (seed 0)" in result.stdout
    assert json.loads(report.read_text())["data"] == "synthetic digits (seed 0)"


def test_synthetic_digits_as_asked_for_need_no_warning(command, no_mnist):
    result = command("train", "--data", "synthetic", "--epochs", "1")
    assert result.exit_code == 0
    assert "NOT MNIST" not in result.stderr
    assert "data: synthetic digits (seed 0)" in result.stdout


def test_mnist_or_an_error(command, no_mnist):
    result = command("train", "--data", "mnist")
    assert result.exit_code == 1
    assert result.stderr == "error: MNIST could not be downloaded: offline.\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--batch-size", "0"], "--batch-size"),
        (["--batch-size", "many"], "--batch-size"),
        (["--threads", "0"], "--threads"),
        (["--seed", str(2**64)], "--seed"),
        (["--lr", "nan"], "expected a finite number from 0 on, got nan"),
        (["--lr", "inf"], "expected a finite number from 0 on, got inf"),
        (["--lr", "-0.5"], "expected a finite number from 0 on, got -0.5"),
        (["--stage", "cooked"], "cooked"),
        (["--plot", "weights.txt"], ".png, .svg, .pdf"),
        (["--json", "report", "--save", "./report"], "a file for each"),
        (["--speed", "9"], "--speed"),
        (["extra"], "extra"),
    ],
)
def test_a_mistake_in_the_options(options, sentence, command):
    result = command("train", *options)
    assert result.exit_code == 2
    assert sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())


@pytest.mark.parametrize("where", ["nowhere", "nowhere.npz"])
def test_missing_data(where, command):
    result = command("train", "--data", where)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {where}: ")
    assert result.stderr.count("\n") == 1


def test_a_folder_without_mnist(command, tmp_path):
    result = command("train", "--data", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path}: holds neither")


@pytest.mark.parametrize("option", ["--json", "--save", "--plot"])
def test_a_file_that_cannot_be_written_is_found_before_the_training(
    option, command, digits_file, tmp_path
):
    path = tmp_path / "no" / "such.png"
    result = command("train", "--data", digits_file, option, path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"error: {path}: cannot be written (its folder does not exist; create it first).\n"
    )


def test_a_full_disk_spoils_only_its_file(command, digits_file, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full to stand for a full disk")
    saved = tmp_path / "model.safetensors"
    options = ("--data", digits_file, "--json", "/dev/full", "--save", saved)
    result = command("train", *options)
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "error: /dev/full: cannot be written (No space left on device).\n"
    )
    assert set(load_file(saved)) == {"weights", "bias"}


def test_matplotlib_is_named_where_it_is_missing(command, digits_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = command("train", "--data", digits_file, "--plot", tmp_path / "weights.png")
    assert result.exit_code == 1
    assert "pip install 'tinygrad_mnist[plots]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keeping", ["", "--checkpoint-every 1"])
@pytest.mark.parametrize(
    "options",
    [
        "--lr 1e9",
        "--lr 1e300",
        "--stage module --lr 1e39",
        "--model mlp --lr 1e9",
        "--optimizer adam --lr 1e300",
        "--momentum 1e9",
    ],
)
def test_what_is_not_finite_is_not_written(options, keeping, command, digits_file, tmp_path):
    saved, report, checkpoint = (tmp_path / name for name in ("saved", "report", "run.pt"))
    for path in (saved, report):
        path.write_bytes(b"old")
    files = ("--save", saved, "--json", report, "--checkpoint", checkpoint)
    result = command(
        "train", "--data", digits_file, "--epochs", "9", *options.split(), *files, *keeping.split()
    )
    assert result.exit_code == 1
    assert "is not finite after step" in result.stderr
    assert result.stderr.endswith(": try a smaller --lr\n")
    if "0 of 9 epochs are complete" in result.stderr:
        assert saved.read_bytes() == report.read_bytes() == b"old"
    else:
        assert all(np.isfinite(each).all() for each in load_file(saved).values())
    if checkpoint.exists():
        state = checkpoints.read(checkpoint).state
        assert all(
            torch.isfinite(each).all() for each in (*state["model"].values(), state["losses"])
        )


def test_the_reference_does_not_write_it_either(digits_file, tmp_path, capsys):
    saved = tmp_path / "saved"
    saved.write_bytes(b"old")
    assert train_in_torch(["--data", str(digits_file), "--lr", "1e30", "--save", str(saved)]) == 1
    assert capsys.readouterr().err == "error: the loss is not finite: try a smaller --lr\n"
    assert saved.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_interrupted_in_the_second_epoch(command, digits_file, tmp_path, monkeypatch):
    whole, report, saved = (tmp_path / name for name in ("whole", "report", "saved"))
    options = ("--data", digits_file, "--lr", "0.1")
    command("train", *options, "--epochs", "1", "--save", whole)
    train_epoch, epochs = train.train_epoch, []

    def interrupted(job, x, y, *rest):
        epochs.append(len(epochs))
        if len(epochs) == 1:
            return train_epoch(job, x, y, *rest)
        train_epoch(job, x[:100], y[:100], *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_epoch", interrupted)
    result = command("train", *options, "--epochs", "9", "--json", report, "--save", saved)
    assert result.exit_code == 130
    assert "stopped: 1 of 9 epochs are complete" in result.stderr
    assert "│     1 │" in result.stdout
    assert len(history_of(report)) == 1
    assert saved.read_bytes() == whole.read_bytes()


def test_interrupted_before_the_first_epoch_is_complete(
    command, digits_file, tmp_path, monkeypatch
):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_epoch", interrupted)
    result = command("train", "--data", digits_file, "--json", tmp_path / "report.json")
    assert result.exit_code == 130
    assert "stopped: 0 of 2 epochs are complete" in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


class CountingLoss:
    """A batch's loss that counts how often it was asked for."""

    asked = 0

    def item(self):
        self.asked += 1
        return 0.25


def test_the_bar_asks_for_the_loss_only_when_it_is_drawn():
    loss = CountingLoss()
    with bar() as progress:
        watch = Bar(progress, epochs=1, rows=10**6)
        begin = time.perf_counter()
        for rows in range(10_000):
            watch.step(rows, loss)
        seconds = time.perf_counter() - begin
    assert 1 <= loss.asked <= 1 + 10 * seconds


def test_the_bar_counts_from_each_epochs_first_step(monkeypatch):
    moments = iter([100.0, 101.0, 200.0, 200.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    with bar() as progress:
        watch = Bar(progress, epochs=2, rows=1000)
        (task,) = progress.tasks
        watch.step(64, CountingLoss())
        assert (task.completed, task.fields) == (64, {"loss": "loss 0.2500", "speed": ""})
        watch.step(564, CountingLoss())
        assert task.fields["speed"] == "500 samples/s"
        watch.epoch(Epoch(1, 0.0, 0.0, 0.0, 0.0, 1.0))
        assert (task.completed, task.description) == (1000, "epoch 2 of 2")
        watch.step(64, CountingLoss())
        watch.step(1064, CountingLoss())
        assert (task.completed, task.fields["speed"]) == (2000, "2,000 samples/s")


def test_compiled_training_gives_the_same_results_and_resumes(command, digits_file, tmp_path):
    plain, whole, kept = tmp_path / "plain.json", tmp_path / "whole.json", tmp_path / "run.pt"
    options = ["--data", str(digits_file), "--batch-size", "40"]
    assert command("train", *options, "--json", plain).exit_code == 0
    assert command("train", *options, "--compile", "--json", whole).exit_code == 0
    agree(history_of(plain), history_of(whole))
    command("train", *options, "--compile", "--epochs", "1", "--checkpoint", kept)
    resumed = tmp_path / "resumed.json"
    command("train", "--resume", kept, "--epochs", "2", "--json", resumed)
    losses = [[epoch["train_loss"] for epoch in history_of(file)] for file in (whole, resumed)]
    assert losses[0] == losses[1]
