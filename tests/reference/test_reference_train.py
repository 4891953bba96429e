"""``python -m reference.train``: the tutorial's job, its numbers, files and errors."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reference.logistic import STAGES, build, log_softmax, nll, train_epoch
from reference.train import main

ROWS = 100  # not a multiple of the batch, so that the last batch is smaller
BATCH_SIZE = 16


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """An archive of a few random digits."""
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("arrays") / "digits.npz"
    np.savez(
        path,
        x_train=generator.random((ROWS, 784), dtype=np.float32),
        y_train=generator.integers(0, 10, ROWS),
        x_valid=generator.random((ROWS, 784), dtype=np.float32),
        y_valid=generator.integers(0, 10, ROWS),
    )
    return path


def run(arrays, tmp_path, *options):
    """The report of a run on the arrays."""
    report = tmp_path / "report.json"
    assert main(["--data", str(arrays), "--json", str(report), *options]) == 0
    return json.loads(report.read_text())


def test_from_scratch_loss_is_cross_entropy():
    x, y = torch.randn(5, 10), torch.randint(0, 10, (5,))
    torch.testing.assert_close(nll(log_softmax(x), y), F.cross_entropy(x, y))


@pytest.mark.parametrize("stage", STAGES)
def test_an_epoch_is_gradient_descent_on_batches_in_order(stage, arrays):
    archive = np.load(arrays)
    x, y = torch.from_numpy(archive["x_train"]), torch.from_numpy(archive["y_train"])
    torch.manual_seed(3)
    job = build(stage)
    torch.manual_seed(3)
    weights, bias = torch.randn(784, 10) / math.sqrt(784), torch.zeros(10)
    assert torch.equal(job.parameters["weights"], weights)
    assert torch.equal(job.parameters["bias"], bias)

    train_epoch(job, x, y, BATCH_SIZE, lr=0.1)
    for xb, yb in zip(x.split(BATCH_SIZE), y.split(BATCH_SIZE), strict=True):
        error = (torch.softmax(xb @ weights + bias, 1) - F.one_hot(yb, 10)) / len(yb)
        weights = weights - 0.1 * xb.T @ error
        bias = bias - 0.1 * error.sum(0)
    torch.testing.assert_close(job.parameters["weights"].detach(), weights)
    torch.testing.assert_close(job.parameters["bias"].detach(), bias)


def test_report_and_table(arrays, tmp_path, capsys):
    options = ["--stage", "module", "--epochs", "3", "--batch-size", "16", "--lr", "0.1"]
    report = run(arrays, tmp_path, *options, "--seed", "5", "--threads", "1")
    history = report.pop("history")
    assert report.pop("versions")["torch"] == torch.__version__
    assert report == {
        "model": "logistic",
        "stage": "module",
        "optimizer": "sgd",
        "momentum": 0.0,
        "shuffle": False,
        "epochs": 3,
        "batch_size": 16,
        "lr": 0.1,
        "seed": 5,
        "device": "cpu",
        "threads": 1,
        "data": f"arrays ({arrays})",
    }
    names = ["epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "seconds"]
    assert [list(epoch) for epoch in history] == [names] * 3
    data, _columns, *rows = capsys.readouterr().out.splitlines()
    assert data == f"data: arrays ({arrays})"
    assert [row.split()[:5] for row in rows] == [
        [str(epoch["epoch"]), *(f"{epoch[name]:.4f}" for name in names[1:5])] for epoch in history
    ]


def test_defaults_are_the_tutorials(arrays, tmp_path):
    report = run(arrays, tmp_path)
    names = ("stage", "epochs", "batch_size", "lr", "seed", "device")
    assert [report[name] for name in names] == ["raw", 2, 64, 0.5, 0, "cpu"]


def test_stages_agree_and_a_seed_repeats(arrays, tmp_path):
    def losses(*options):
        history = run(arrays, tmp_path, "--lr", "0.01", *options)["history"]
        return [(epoch["train_loss"], epoch["valid_loss"]) for epoch in history]

    raw = losses("--stage", "raw")
    assert losses("--stage", "raw") == raw
    assert losses("--stage", "raw", "--seed", "1") != raw
    for stage in ("functional", "module"):
        np.testing.assert_allclose(losses("--stage", stage), raw, rtol=1e-5)


def test_saves_parameters_and_plot(arrays, tmp_path):
    from safetensors.torch import load_file

    saved, picture = tmp_path / "model.safetensors", tmp_path / "weights.png"
    options = ["--data", str(arrays), "--lr", "0", "--save", str(saved), "--plot", str(picture)]
    assert main(options) == 0
    torch.manual_seed(0)
    weights = torch.randn(784, 10) / math.sqrt(784)
    assert {name: tensor.shape for name, tensor in load_file(saved).items()} == {
        "weights": (784, 10),
        "bias": (10,),
    }
    assert torch.equal(load_file(saved)["weights"], weights)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_interrupt_reports_the_epochs_that_ended(arrays, tmp_path, monkeypatch, capsys):
    import reference.logistic

    epochs = iter([train_epoch])

    def until_interrupted(*arguments):
        for train in epochs:
            return train(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(reference.logistic, "train_epoch", until_interrupted)
    report = tmp_path / "report.json"
    assert main(["--data", str(arrays), "--epochs", "3", "--json", str(report)]) == 130
    assert "1 of 3 epochs" in capsys.readouterr().err
    assert len(json.loads(report.read_text())["history"]) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--epochs", "0"], "--epochs: expected an integer from 1 on, got 0"),
        (["--batch-size", "-1"], "--batch-size: expected an integer from 1 on, got -1"),
        (["--lr", "nan"], "--lr: expected a finite number from 0 on, got nan"),
        (["--stage", "cooked"], "--stage: invalid choice: 'cooked'"),
        (["--plot", "weights.txt"], "expected a name that ends in .png, .svg, .pdf"),
        (["--json", "no/such/folder/report.json"], "its folder does not exist; create it first"),
    ],
)
def test_a_mistake_in_the_options(options, sentence, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(options)
    assert exit_info.value.code == 2
    assert sentence in capsys.readouterr().err


def test_no_cuda_device_is_said(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as exit_info:
        main(["--device", "cuda"])
    assert exit_info.value.code == 2
    assert "finds no CUDA device; use --device cpu" in capsys.readouterr().err


def test_missing_data_is_one_sentence(tmp_path, capsys):
    assert main(["--data", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere'}: expected auto, ")


def test_mnist_reaches_91_percent(mnist_directory, tmp_path):
    """At one stage; our engine's tests hold every stage to the same numbers."""
    report = run(mnist_directory, tmp_path)
    assert report["data"] == f"MNIST (IDX files in {mnist_directory})"
    assert report["history"][-1]["valid_accuracy"] >= 0.91
