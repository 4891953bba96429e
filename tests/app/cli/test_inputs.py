"""What commands read is a regular file of a size that fits, or is told in a sentence."""

import os

import numpy as np
import pytest
from PIL import Image

from tinygrad_mnist.app import models
from tinygrad_mnist.serialization import files, safetensors
from tinygrad_mnist.tools.scripts import program

COMMANDS = {
    "eval": "eval {}",
    "predict": "predict {} digit.png",
    "predict a picture": "predict model.safetensors {}",
    "train": "train --data {}",
    "train --resume": "train --resume {}",
}
ENDLESS = {
    "a pipe that nobody writes to": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
    "a file of 2 TiB": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**41),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    safetensors.save_file(models.MLP().state_dict(), "model.safetensors")
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save("digit.png")
    return tmp_path


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_told_in_a_sentence(what, folder, command):
    path = folder / "given.npz"
    ENDLESS[what](path)
    for name, line in COMMANDS.items():
        result = command(*line.format(path.name).split())
        assert result.exit_code == 1, name
        (told,) = result.stderr.splitlines()
        assert told.startswith("error: given.npz"), name
    with pytest.raises(program.ScriptError, match="cannot be read"):
        program.read(path)


def test_standard_input_may_be_a_pipe():
    kept = os.dup(0)
    try:
        for most, expected in ((100, b"import torch"), (5, None)):
            reading, writing = os.pipe()
            os.dup2(reading, 0)
            os.close(reading)
            os.write(writing, b"import torch")
            os.close(writing)
            if expected is None:
                with pytest.raises(files.ReadError, match="more than the 5 bytes"):
                    files.read("/dev/stdin", most)
            else:
                assert files.read("/dev/stdin", most) == expected
    finally:
        os.dup2(kept, 0)
        os.close(kept)
