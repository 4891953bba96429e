"""`tinygrad-mnist predict`: an answer for every picture that can be read."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from tinygrad_mnist import from_numpy
from tinygrad_mnist.app import evaluation


@pytest.fixture(scope="module")
def weights(digits_file, tmp_path_factory):
    from typer.testing import CliRunner

    from tinygrad_mnist.app.cli.app import app

    path = tmp_path_factory.mktemp("models") / "mlp.safetensors"
    options = ["train", "--model", "mlp", "--optimizer", "adam", "--epochs", "6"]
    arguments = [*options, "--data", str(digits_file), "--save", str(path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return path


@pytest.fixture
def pictures(digits, tmp_path):
    """The test digits as pictures, and what they are."""
    paths = []
    for number, image in enumerate(digits.test[0]):
        path = tmp_path / f"{number}.png"
        Image.fromarray((image * 256).astype(np.uint8).reshape(28, 28)).save(path)
        paths.append(path)
    return paths


def test_answers_are_the_models(weights, pictures, command, digits):
    result = command("predict", weights, *pictures)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    expected = evaluation.probabilities(evaluation.load(weights)[1], from_numpy(digits.test[0]))
    assert len(lines) == 3 * len(pictures)
    for path, sure, start in zip(pictures, expected, range(0, len(lines), 3), strict=True):
        assert lines[start] == f"{path}: {sure.argmax()}"
        shown = re.findall(r"(\d) (\d\.\d{4})", "".join(lines[start + 1 : start + 3]))
        assert [int(digit) for digit, _ in shown] == list(range(10))
        assert [float(share) for _, share in shown] == pytest.approx(sure, abs=6e-5)


def test_bad_pictures_do_not_keep_others_from_an_answer(weights, pictures, command, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    result = command("predict", weights, text, pictures[0], tmp_path / "none.png", pictures[1])
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines() if ":" in line] == [
        str(path) for path in pictures[:2]
    ]
    assert result.stderr.splitlines() == [
        f"error: {text}: cannot be read (it is no picture, or is damaged).",
        f"error: {tmp_path / 'none.png'}: cannot be read (No such file or directory).",
    ]


def test_show_draws_what_the_model_sees(weights, pictures, command):
    plain = command("predict", weights, pictures[0]).stdout.splitlines()
    shown = command("predict", weights, pictures[0], "--show").stdout.splitlines()
    assert len(shown) == len(plain) + 14
    assert [line for line in shown if line in plain] == plain


def test_pillow_is_named_where_it_is_missing(weights, pictures, command, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    result = command("predict", weights, pictures[0])
    assert result.exit_code == 1
    assert "pip install 'tinygrad_mnist[images]'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["none", "a.png"], 1, "none: cannot be read (No such file or directory)."),
        (["{weights}"], 2, "IMAGE"),
        (["README.md", "a.png"], 1, "README.md: is neither weights in safetensors nor"),
    ],
)
def test_mistakes(arguments, code, sentence, weights, command):
    result = command("predict", *(each.format(weights=weights) for each in arguments))
    assert result.exit_code == code
    assert sentence in " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())
