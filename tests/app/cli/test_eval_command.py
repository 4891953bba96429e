"""`tinygrad-mnist eval`: its table, its files, and what it says when something is wrong."""

import json
import re

import numpy as np
import pytest
import torch as pytorch
from safetensors.torch import load_file

from reference.train import main as train_in_torch


@pytest.fixture(scope="module")
def weights(digits_file, tmp_path_factory):
    """Weights that PyTorch trained."""
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    options = ["--data", str(digits_file), "--lr", "0.1", "--save", str(path)]
    assert train_in_torch(options) == 0
    return path


def test_results_are_pytorchs(weights, command, digits, digits_file, tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "confusion.png"
    result = command("eval", weights, "--data", digits_file, "--json", report, "--plot", picture)
    assert result.exit_code == 0
    state = load_file(weights)
    x, y = (pytorch.from_numpy(array) for array in digits.test)
    out = x @ state["weights"] + state["bias"]
    loss = pytorch.nn.functional.cross_entropy(out, y).item()
    accuracy = (out.argmax(1) == y).float().mean().item()
    confusion = np.zeros((10, 10), int)
    for digit, taken in zip(y.tolist(), out.argmax(1).tolist(), strict=True):
        confusion[digit, taken] += 1
    assert f"test loss {loss:.4f}, accuracy {accuracy:.4f}" in result.stdout
    assert f"model: logistic from {weights}" in result.stdout
    assert f"data: arrays from {digits_file}, 10 test digits" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    shown = [[int(cell.replace("·", "0")) for cell in row[1:11]] for row in cells]
    assert shown == confusion.tolist()
    written = json.loads(report.read_text())
    assert written["confusion"] == confusion.tolist()
    assert written["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert written["test_accuracy"] == pytest.approx(accuracy)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [f"wrote {report}", f"wrote {picture}"] == result.stdout.splitlines()[-2:]


def test_a_checkpoint_and_its_weights_are_one_model(command, digits_file, tmp_path):
    checkpoint, weights = tmp_path / "run.pt", tmp_path / "model.safetensors"
    options = ("--model", "mlp", "--data", digits_file)
    command("train", *options, "--checkpoint", checkpoint, "--save", weights)
    printed = [
        re.search(r"test loss .*", command("eval", path, "--data", digits_file).stdout).group()
        for path in (checkpoint, weights)
    ]
    assert printed[0] == printed[1]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["none.safetensors"], 1, "none.safetensors: cannot be read (No such file or directory)."),
        (["pyproject.toml"], 1, "pyproject.toml: is neither weights in safetensors nor a check"),
        ([], 2, "MODEL"),
        (["{weights}", "--data", "nowhere"], 1, "nowhere: expected auto, mnist"),
        (["{weights}", "--plot", "a.txt"], 2, ".png, .svg, .pdf"),
        (["{weights}", "--json", "no/such"], 1, "its folder does not exist"),
        (["{weights}", "--data", "{no_test}"], 1, "holds no test digits"),
    ],
)
def test_mistakes(arguments, code, sentence, command, weights, digits, tmp_path):
    x, y = digits.train
    no_test = tmp_path / "no_test.npz"
    np.savez(no_test, x_train=x, y_train=y, x_valid=x, y_valid=y)
    result = command("eval", *(each.format(weights=weights, no_test=no_test) for each in arguments))
    assert result.exit_code == code
    assert sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
    assert result.stdout == ""
