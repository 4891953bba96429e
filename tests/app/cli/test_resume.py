"""`tinygrad-mnist train --checkpoint` and `--resume`: what they write, say and refuse."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.app import checkpoints, train
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels, save_archive


def spoken(result):
    """What was said on stderr, without the frame around it."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.stderr).split())


@pytest.fixture
def interrupted(command, digits_file, tmp_path, monkeypatch):
    """A checkpoint of a run that Ctrl-C ended in its second epoch."""
    checkpoint, steps = tmp_path / "run.pt", []
    step = train.Run.step

    def stopping(self, rows, loss):
        step(self, rows, loss)
        steps.append(rows)
        if len(steps) == 13:
            raise KeyboardInterrupt

    options = ("--lr", "0.1", "--shuffle", "--epochs", "3", "--data", digits_file)
    with monkeypatch.context() as patch:
        patch.setattr(train.Run, "step", stopping)
        files = ("--checkpoint", checkpoint, "--checkpoint-every", "5")
        result = command("train", *options, *files)
    assert result.exit_code == 130
    assert "stopped: 1 of 3 epochs are complete" in result.stderr
    assert f"go on with: tinygrad-mnist train --resume {checkpoint}" in result.stderr
    return checkpoint, options


def table(result):
    lines = [line for line in result.stdout.splitlines() if "│" in line]
    return [re.findall(r"[\d.]+", line)[:5] for line in lines]


def test_a_resumed_run_ends_as_one_that_was_not_stopped(interrupted, command, tmp_path):
    checkpoint, options = interrupted
    whole, resumed = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    expected = command("train", *options, "--save", whole)
    result = command("train", "--resume", checkpoint, "--save", resumed)
    assert result.exit_code == 0
    assert resumed.read_bytes() == whole.read_bytes()
    assert table(result) == table(expected)
    assert checkpoints.read(checkpoint).every == 5
    assert len(checkpoints.read(checkpoint).state["history"]) == 3
    again = command("train", "--resume", checkpoint, "--save", resumed)
    assert again.exit_code == 0
    assert table(again) == table(expected)
    assert resumed.read_bytes() == whole.read_bytes()


def test_options_that_say_the_same_are_no_contradiction(interrupted, command):
    checkpoint, options = interrupted
    assert command("train", "--resume", checkpoint, *options).exit_code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--lr 0.2", "--lr 0.2: the run of {} has 0.1; leave the option out, or begin a new run"),
        ("--model mlp", "--model mlp: the run of {} has logistic"),
        ("--stage module", "--stage module: the run of {} has raw"),
        ("--batch-size 32", "--batch-size 32: the run of {} has 64"),
        ("--seed 1", "--seed 1: the run of {} has 0"),
        ("--optimizer adam", "--optimizer adam: the run of {} has sgd"),
        ("--threads 7", "--threads 7: the run of {} has"),
        ("--epochs 1", "--epochs 1: the run of {} is in epoch 2"),
    ],
)
def test_options_that_contradict_the_checkpoint(options, sentence, interrupted, command):
    checkpoint, _ = interrupted
    before = checkpoint.read_bytes()
    result = command("train", "--resume", checkpoint, *options.split())
    assert result.exit_code == 2
    assert "".join(sentence.format(checkpoint).split()) in "".join(spoken(result).split())
    assert checkpoint.read_bytes() == before


def test_other_digits_are_refused(interrupted, command, tmp_path):
    checkpoint, _ = interrupted
    other = tmp_path / "other.npz"
    parts = [synthetic.draw(count, seed + 5) for seed, count in enumerate((500, 100, 10))]
    with other.open("wb") as file:
        save_archive(file, from_pixels(parts, "synthetic", "other digits"))
    result = command("train", "--resume", checkpoint, "--data", other)
    assert result.exit_code == 1
    assert "its run was trained on other digits than arrays from" in result.stderr


def test_what_may_change_the_last_bits_is_told(interrupted, command, monkeypatch):
    checkpoint, _ = interrupted
    silent = command("train", "--resume", checkpoint, "--epochs", "3")
    assert "last bits" not in silent.stderr
    other = {**checkpoints.computed_by(), "numpy": "2.99"}
    monkeypatch.setattr(checkpoints, "computed_by", lambda: other)
    result = command("train", "--resume", checkpoint, "--epochs", "4")
    assert result.exit_code == 0
    told = f"the run was begun with numpy {np.__version__}: it goes on, but its numbers may"
    assert told in result.stderr


def test_digits_that_moved_can_be_named(interrupted, command, digits_file, tmp_path):
    checkpoint, _ = interrupted
    moved, gone = tmp_path / "moved.npz", tmp_path / "gone.npz"
    moved.write_bytes(Path(digits_file).read_bytes())
    state = torch.load(checkpoint)
    state["digits"]["where"] = str(gone)
    torch.save(state, checkpoint)
    result = command("train", "--resume", checkpoint)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: {gone}: cannot be read (No such file or directory). {checkpoint} names them; if "
        "they have moved, name them by --data.\n"
    )
    assert command("train", "--resume", checkpoint, "--data", moved).exit_code == 0
    assert checkpoints.read(checkpoint).source.where == str(moved)


def test_a_checkpoint_that_is_there_is_not_overwritten(interrupted, command, digits_file):
    checkpoint, _ = interrupted
    before = checkpoint.read_bytes()
    result = command("train", "--data", digits_file, "--checkpoint", checkpoint)
    assert result.exit_code == 1
    assert f"Go on with its run by --resume {checkpoint}" in result.stderr
    assert checkpoint.read_bytes() == before


def test_a_second_run_on_a_checkpoint_is_refused(
    interrupted, command, digits_file, tmp_path, monkeypatch
):
    checkpoint, options = interrupted
    link = tmp_path / "link.pt"
    link.symlink_to(checkpoint)
    step, during = train.Run.step, []

    def meanwhile(self, rows, loss):
        step(self, rows, loss)
        if not during:
            during.append(None)
            for second in (
                ("--resume", checkpoint), ("--resume", link),
                (*options, "--checkpoint", checkpoint),
            ):  # fmt: skip
                before = checkpoint.read_bytes()
                result = command("train", *second)
                assert result.exit_code == 1
                assert "another process is at work on it" in result.stderr
                assert checkpoint.read_bytes() == before
                during.append(second)
            other = ("--resume", checkpoint, "--checkpoint", tmp_path / "other.pt")
            assert command("train", *other).exit_code == 0

    monkeypatch.setattr(train.Run, "step", meanwhile)
    assert command("train", "--resume", checkpoint).exit_code == 0
    assert len(during) == 4
    assert len(checkpoints.read(checkpoint).state["history"]) == 3
    assert not list(tmp_path.glob(".*"))


def test_a_resumed_run_can_be_kept_elsewhere(interrupted, command, tmp_path):
    checkpoint, _ = interrupted
    before, other = checkpoint.read_bytes(), tmp_path / "other.pt"
    assert command("train", "--resume", checkpoint, "--checkpoint", other).exit_code == 0
    assert checkpoint.read_bytes() == before
    assert len(checkpoints.read(other).state["history"]) == 3
    result = command("train", "--resume", checkpoint, "--checkpoint", other)
    assert result.exit_code == 1
    assert "is there already" in result.stderr


def test_a_full_disk_stops_the_run_with_its_results(command, digits_file, tmp_path, monkeypatch):
    from tinygrad_mnist.serialization.files import WriteError

    checkpoint, report = tmp_path / "run.pt", tmp_path / "report.json"
    write, written = checkpoints.write, []

    def filling_up(path, *arguments):
        if written:
            raise WriteError(f"{path}: cannot be written (No space left on device).")
        written.append(path)
        write(path, *arguments)

    monkeypatch.setattr(checkpoints, "write", filling_up)
    options = ("--data", digits_file, "--lr", "0.1", "--epochs", "3", "--json", report)
    result = command("train", *options, "--checkpoint", checkpoint)
    assert result.exit_code == 1
    assert (
        f"error: stopped: 2 of 3 epochs are complete: {checkpoint}: cannot be written "
        "(No space left on device)."
    ) in result.stderr
    assert len(table(result)) == 2
    assert f"wrote {report}" in result.stdout
    assert len(checkpoints.read(checkpoint).state["history"]) == 1


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ("--checkpoint-every 3", 2, "expected --checkpoint FILE with it"),
        ("--checkpoint run.pt --checkpoint-every 0", 2, "--checkpoint-every"),
        ("--checkpoint no/such/run.pt", 1, "its folder does not exist"),
        ("--checkpoint run --save ./run", 2, "a file for each"),
        ("--resume none.pt", 1, "none.pt: cannot be read (No such file or directory)."),
        ("--resume pyproject.toml", 1, "pyproject.toml: is no checkpoint"),
    ],
)
def test_mistakes(options, code, sentence, command, digits_file):
    result = command("train", "--data", digits_file, *options.split())
    assert result.exit_code == code
    assert sentence in spoken(result)


def test_what_a_killed_run_left_half_written_is_removed(command, digits_file, tmp_path):
    from tinygrad_mnist.serialization import files

    checkpoint = tmp_path / "run.pt"
    left, other = files._beside(checkpoint), files._beside(tmp_path / "other.pt")
    for path in (left, other):
        path.write_bytes(b"half")
    command("train", "--data", digits_file, "--epochs", "1", "--checkpoint", checkpoint)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["run.pt", other.name])
