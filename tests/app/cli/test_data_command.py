"""`tinygrad-mnist data`, and what the command says of itself."""

import numpy as np
import pytest

from reference.data import load as load_in_torch
from tinygrad_mnist.app.datasets import synthetic


def test_export_is_what_the_reference_reads(command, no_mnist, tmp_path):
    path = tmp_path / "digits.npz"
    result = command("data", "export", path, "--data", "synthetic")
    assert result.exit_code == 0
    assert result.stdout == f"wrote {path}: synthetic digits (seed 0)\n"
    read, drawn = load_in_torch(str(path)), synthetic.generate(0)
    np.testing.assert_array_equal(read.x_train, drawn.train[0])
    np.testing.assert_array_equal(read.y_train, drawn.train[1])
    np.testing.assert_array_equal(read.x_valid, drawn.valid[0])
    np.testing.assert_array_equal(read.y_valid, drawn.valid[1])


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("digits.zip", 2, "ends in .npz"),
        ("no/such/digits.npz", 1, "its folder does not exist; create it first"),
    ],
)
def test_export_to_a_wrong_place(name, code, sentence, command, tmp_path):
    result = command("data", "export", tmp_path / name, "--data", "synthetic")
    assert result.exit_code == code
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_show_draws_digits(command, digits, digits_file):
    result = command("data", "show", "--data", digits_file, "--count", "3")
    lines = result.stdout.splitlines()
    labels = [int(word) for word in lines[0].split()] + [int(word) for word in lines[15].split()]
    assert labels == digits.train[1][:3].tolist()
    assert max(len(line) for line in lines[:-1]) <= 58
    left = np.array([[" ░▒▓█".index(c) for c in line[:28].ljust(28)] for line in lines[1:15]])
    ink = digits.train[0][0].reshape(14, 2, 28).mean(1)
    np.testing.assert_array_equal(left, np.floor(ink * 5))
    assert lines[-1] == f"data: arrays from {digits_file}"


def test_info_says_where_mnist_is(command, mnist_directory, monkeypatch):
    monkeypatch.setenv("TINYGRAD_MNIST_DATA", str(mnist_directory))
    result = command("data", "info")
    assert result.exit_code == 0
    assert f"TINYGRAD_MNIST_DATA: {mnist_directory}\n" in result.stdout
    assert "mnist.pkl.gz" in result.stdout


def test_info_says_where_mnist_is_not(command, no_mnist, tmp_path, monkeypatch):
    assert "TINYGRAD_MNIST_DATA is not set" in command("data", "info").stdout
    monkeypatch.setenv("TINYGRAD_MNIST_DATA", str(tmp_path / "nowhere"))
    result = command("data", "info")
    assert result.exit_code == 0
    assert result.stdout == (
        f"TINYGRAD_MNIST_DATA: {tmp_path / 'nowhere'}\n  no MNIST\n"
        f"downloads: {tmp_path / 'cache' / 'tinygrad_mnist' / 'mnist'}\n  no MNIST\n"
    )


def test_info_names_what_is_missing(command, no_mnist, tmp_path, monkeypatch):
    (tmp_path / "train-images-idx3-ubyte").touch()
    monkeypatch.setenv("TINYGRAD_MNIST_DATA", str(tmp_path))
    assert "lacks train-labels-idx1-ubyte and t10k-images" in command("data", "info").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "export", "-h"]])
def test_help_teaches_by_example(arguments, command):
    result = command(*arguments)
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert "tinygrad-mnist " in result.stdout
    assert "\\b" not in result.stdout
    assert "[cyan]" not in result.stdout


def test_version(command):
    result = command("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("tinygrad_mnist ")
    assert f"numpy {np.__version__}" in result.stdout
