"""A run that is resumed goes on bit for bit, and a file that is no checkpoint is told from one."""

import io
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tinygrad_mnist.app import checkpoints
from tinygrad_mnist.app.checkpoints import Source
from tinygrad_mnist.app.datasets import synthetic
from tinygrad_mnist.app.datasets.digits import from_pixels
from tinygrad_mnist.app.train import Callback, Run, Settings, build
from tinygrad_mnist.serialization.files import ReadError

SOURCE = Source("synthetic", 0)
RUNS = {
    "raw": Settings(lr=0.1, shuffle=True),
    "functional": Settings(stage="functional", lr=0.1),
    "module": Settings(stage="module", lr=0.1, shuffle=True),
    "raw by rmsprop": Settings(optimizer="rmsprop", momentum=0.5, lr=0.001, shuffle=True),
    "mlp by adam": Settings("mlp", "module", "adam", shuffle=True, lr=0.001),
    "cnn": Settings("cnn", "module", momentum=0.9, shuffle=True, lr=0.02),
}


@pytest.fixture(scope="module")
def digits():
    parts = [synthetic.draw(count, seed) for seed, count in enumerate((200, 50, 10))]
    return from_pixels(parts, "synthetic", "a few digits").map(torch.from_numpy)


class Snapshots:
    """Keeps every checkpoint of a run in a file of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.paths = []

    def __call__(self, run):
        path = self.folder / f"{len(self.paths)}.pt"
        checkpoints.write(path, run, SOURCE)
        self.paths.append(path)


def outcome(run):
    """All that a run gives, but for the time it took."""
    history = [replace(epoch, seconds=0.0) for epoch in run.result.history]
    optimizer = run.optimizer and pickle.dumps(
        [(p.tolist(), state) for p, state in run.optimizer.state.items()]
    )
    return (
        history,
        {name: array.tobytes() for name, array in run.result.parameters.items()},
        {name: p.detach().numpy().tobytes() for name, p in run.job.parameters.items()},
        torch.get_rng_state().tolist(),
        run.losses,
        optimizer,
    )


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_from_any_step_as_if_it_had_not_stopped(name, digits, tmp_path):
    keep = Snapshots(tmp_path)
    whole = Run(RUNS[name])
    whole.train(digits, keep=keep, every=1)
    expected = outcome(whole)
    assert len(keep.paths) == 2 * (4 + 1)
    for path in keep.paths:
        torch.rand(3)
        run = checkpoints.read(path).resume()
        run.train(digits)
        assert outcome(run) == expected, path.name


def test_epochs_can_be_added(digits, tmp_path):
    whole, part = Run(Settings(lr=0.1, epochs=3)), Run(Settings(lr=0.1, epochs=1))
    whole.train(digits)
    part.train(digits)
    checkpoints.write(tmp_path / "run.pt", part, SOURCE)
    more = checkpoints.read(tmp_path / "run.pt").resume(epochs=3)
    more.train(digits)
    assert outcome(more) == outcome(whole)


def test_ctrl_c_leaves_the_epochs_that_were_complete_before_it_was_resumed(digits, tmp_path):
    keep = Snapshots(tmp_path)
    run = Run(Settings(lr=0.1))
    run.train(digits, keep=keep, every=3)
    between = checkpoints.read(keep.paths[2]).resume()
    assert len(between.result.history) == 1
    assert between.rows > 0

    class Stop(Callback):
        def step(self, rows, loss):
            raise KeyboardInterrupt

    result = between.train(digits, Stop())
    first = checkpoints.read(keep.paths[1]).resume().result
    assert result.interrupted
    assert result.history == first.history
    for name, array in result.parameters.items():
        np.testing.assert_array_equal(array, first.parameters[name])


def test_a_checkpoint_is_written_every_so_many_steps_and_after_each_epoch(digits):
    seen = []
    run = Run(Settings(lr=0.1))
    run.train(digits, keep=lambda run: seen.append((len(run.losses), run.rows)), every=3)
    assert seen == [(3, 192), (4, 0), (6, 128), (8, 0)]


def test_pytorch_reads_it(digits, tmp_path):
    run = Run(RUNS["mlp by adam"])
    run.train(digits)
    checkpoints.write(tmp_path / "run.pt", run, SOURCE)
    state = pytorch.load(tmp_path / "run.pt")
    for name, parameter in run.job.parameters.items():
        assert state["model"][name].tolist() == parameter.tolist()
    pytorch.set_rng_state(state["random_state"])
    assert pytorch.rand(3).tolist() == torch.rand(3).tolist()


def test_a_copy_of_the_digits_is_known_and_another_set_is_not(digits):
    known = checkpoints.source("synthetic", digits)
    assert known == checkpoints.source("synthetic", digits)
    other = replace(digits, train=(digits.train[0] * 2, digits.train[1]))
    assert checkpoints.source("synthetic", other) != known


@pytest.fixture
def state(digits, tmp_path):
    """What a sound checkpoint holds."""
    run = Run(RUNS["mlp by adam"])
    run.train(digits)
    path = tmp_path / "sound.pt"
    checkpoints.write(path, run, SOURCE)
    assert checkpoints.read(path).resume().rows == 0
    return torch.load(path)


def altered(**changes):
    return lambda state: {**state, **changes}


def without(name):
    return lambda state: {key: value for key, value in state.items() if key != name}


def setting(**changes):
    return lambda state: {**state, "settings": {**state["settings"], **changes}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: [1, 2], "is no checkpoint of `tinygrad-mnist train --checkpoint`"),
        (lambda state: state["model"], "is no checkpoint of"),
        (altered(version=2), "is a checkpoint of version 2, and this program reads version 1"),
        (without("model"), "does not fit together"),
        (without("settings"), "does not fit together"),
        (without("optimizer"), "does not fit together"),
        (without("random_state"), "does not fit together"),
        (setting(model="forest"), "expected one of logistic, mlp, cnn"),
        (setting(model="cnn"), "the parameters are another model's"),
        (setting(epochs="3"), "epochs '3': expected int"),
        (setting(other=1), "does not fit together"),
        (altered(model={"hidden.weight": 1}), "its model cannot be"),
        (altered(history=[{"epoch": "1"}]), "its history cannot be"),
        (altered(history=[{"epoch": 1}]), "its history cannot be"),
        (altered(random_state=torch.zeros(3)), "does not fit together"),
        (altered(order_state=None), "does not fit together"),
        (altered(rows="a"), "does not fit together"),
        (altered(losses=[1.0]), "its losses cannot be"),
        (altered(every=0), "its every cannot be 0"),
        (altered(computed_by={"numpy": 2}), "its computed_by cannot be"),
        (altered(threads=0), "its threads cannot be 0"),
        (altered(threads=10**9), "its threads cannot be 1000000000"),
        (altered(rows=-5), "its rows cannot be -5"),
        (altered(seconds="long"), "its seconds cannot be 'long'"),
        (setting(batch_size=0), "batch_size 0: expected 1 or more"),
        (setting(epochs=-1), "epochs -1: expected 1 or more"),
        (setting(lr=float("nan")), "lr nan: expected a finite number from 0 on"),
        (altered(digits={"where": 1, "sum": 2}), "its digits cannot be"),
    ],
)
def test_what_does_not_fit_is_told(change, message, state, tmp_path):
    path = tmp_path / "altered.pt"
    torch.save(change(state), path)
    with pytest.raises(ReadError, match=rf"altered\.pt: .*{message}"):
        checkpoints.read(path).resume()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x02N."])
def test_other_files_are_told(content, tmp_path):
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"other\.pt: is no checkpoint"):
        checkpoints.read(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ReadError, match=r"none\.pt: cannot be read \(No such file or directory\)"):
        checkpoints.read(tmp_path / "none.pt")


def test_every_setting_is_kept():
    assert set(asdict(Settings())) == set(Settings.__dataclass_fields__)
    assert build(Settings())[1] is None


def test_a_checkpoint_is_the_same_for_the_same_run(digits):
    files = []
    for _ in range(2):
        run = Run(RUNS["mlp by adam"])
        run.train(digits)
        run.result = replace_seconds(run.result)
        file = io.BytesIO()
        torch.save(checkpoints._state(run), file)
        files.append(file.getvalue())
    assert files[0] == files[1]


def replace_seconds(result):
    return replace(result, history=[replace(epoch, seconds=0.0) for epoch in result.history])


def places(value, path=()):
    """Where in what a checkpoint holds something stands, containers themselves too."""
    yield path
    if isinstance(value, dict | list | tuple):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*path, key))


def put(value, path, new):
    """A copy with something else at a place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: put(value[path[0]], path[1:], new)}
    changed = list(value)
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return type(value)(changed)


HOSTILE = (None, True, -1, 2**70, float("nan"), "x" * 9_999, [], {1: 2}, (1,), b"", torch.ones(3))


def test_anything_at_any_place_is_told_or_fits(state):
    state["completed"], state["zeroed"] = {}, state["zeroed"][:1]
    told, fitting = [], []
    for path in places(state):
        for value in HOSTILE:
            try:
                run = checkpoints.checked("file", put(state, path, value)).resume()
            except ReadError as error:
                told.append(len(str(error)))
            else:
                fitting.append(path)
                run.optimizer.step()
    assert max(told) < 3_000
    assert (len(told) > 900, len(fitting) < 25) == (True, True)
