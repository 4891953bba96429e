"""`tinygrad-mnist train` with other models and optimisers: PyTorch's numbers, and its files."""

import json
import re

import pytest
from safetensors import safe_open

from reference.train import main as train_in_torch

RESULTS = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")
RUNS = {
    "mlp": "--model mlp --lr 0.1",
    "mlp by adam, shuffled": "--model mlp --optimizer adam --shuffle",
    "mlp by rmsprop": "--model mlp --optimizer rmsprop --momentum 0.5",
    "cnn": "--model cnn --lr 0.05",
    "cnn with momentum, shuffled": "--model cnn --momentum 0.9 --lr 0.02 --shuffle",
    "logistic with momentum": "--momentum 0.9 --lr 0.01",
    "logistic by adamw": "--stage functional --optimizer adamw",
    "logistic by adam, shuffled": "--stage module --optimizer adam --shuffle",
    "logistic, shuffled": "--lr 0.1 --shuffle",
}


@pytest.mark.parametrize("name", RUNS)
def test_results_are_pytorchs(name, command, digits_file, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    options = [*RUNS[name].split(), "--data", str(digits_file), "--seed", "3", "--epochs", "2"]
    result = command("train", *options, "--json", ours)
    assert result.exit_code == 0, result.stderr
    assert train_in_torch([*options, "--json", str(theirs)]) == 0
    written, expected = json.loads(ours.read_text()), json.loads(theirs.read_text())
    assert [name for name in written if name != "compile"] == list(expected)
    for setting in ("model", "stage", "optimizer", "momentum", "shuffle", "lr"):
        assert written[setting] == expected[setting], setting
    assert len(written["history"]) == len(expected["history"]) == 2
    for one, other in zip(written["history"], expected["history"], strict=True):
        assert [one[each] for each in RESULTS] == pytest.approx(
            [other[each] for each in RESULTS], abs=5e-5
        )


@pytest.mark.parametrize("options", ["", "--momentum 0.9", "--model mlp", "--optimizer rmsprop"])
def test_the_usual_learning_rate_is_the_references(options, command, digits_file, tmp_path):
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    options = [*options.split(), "--data", str(digits_file), "--epochs", "1"]
    assert command("train", *options, "--json", ours).exit_code == 0
    assert train_in_torch([*options, "--json", str(theirs)]) == 0
    assert json.loads(ours.read_text())["lr"] == json.loads(theirs.read_text())["lr"]


@pytest.mark.parametrize("model", ["logistic", "mlp", "cnn"])
def test_files_of_each_model(model, command, digits_file, tmp_path):
    saved, picture = tmp_path / "model.safetensors", tmp_path / "weights.png"
    options = ["--model", model, "--data", str(digits_file), "--epochs", "1"]
    files = ["--save", str(saved), "--plot", str(picture)]
    assert command("train", *options, *files).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    with safe_open(saved, "np") as file:
        ours = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
        assert file.metadata() == {"model": model}
    assert train_in_torch([*options, *files]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    with safe_open(saved, "np") as file:
        assert ours == {n: file.get_slice(n).get_shape() for n in file.keys()}  # noqa: SIM118
        assert file.metadata() == {"model": model}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--model forest", "forest"),
        ("--optimizer lion", "lion"),
        ("--momentum -1", "expected a finite number from 0 on, got -1"),
        ("--momentum nan", "expected a finite number from 0 on, got nan"),
        ("--model cnn --stage raw", "stage 'raw' is of the logistic model alone"),
        ("--optimizer adam --momentum 0.9", "momentum is for sgd and rmsprop, not adam"),
    ],
)
def test_a_mistake_in_the_options(options, sentence, command, capsys):
    result = command("train", *options.split())
    assert result.exit_code == 2
    assert sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    with pytest.raises(SystemExit) as exit_info:
        train_in_torch(options.split())
    assert exit_info.value.code == 2
    assert "error: " in capsys.readouterr().err
