"""How `save` and `load` are called, what they refuse, and that a file is written whole or not."""

import io
import pickle
import zipfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.nn import Parameter
from tinygrad_mnist.optim import SGD

BOTH = pytest.mark.parametrize("engine", [torch, tinygrad_mnist], ids=["torch", "ours"])


def saved(value=None, engine=tinygrad_mnist):
    file = io.BytesIO()
    engine.save({"x": engine.ones(2)} if value is None else value, file)
    file.seek(0)
    return file


class Kind(Parameter):
    """A parameter of the script's own."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [SGD([Parameter(tinygrad_mnist.ones(1))])], r"SGD cannot be saved: .* state_dict"),
        (lambda: Kind(tinygrad_mnist.ones(1)), r"Kind cannot be saved: save \.detach\(\)"),
        (lambda: defaultdict(list), r"defaultdict cannot be saved: save dict\(\.\.\.\)"),
        (lambda: np.datetime64("2026"), r"datetime64 cannot be saved: save \.tolist\(\)"),
        (lambda: np.ones(2, object), r"ndarray cannot be saved: save \.tolist\(\)"),
        (lambda: frozenset(), "frozenset cannot be saved"),
        (lambda: slice(3), "slice cannot be saved"),
        (lambda: print, "builtin_function_or_method cannot be saved"),
        (lambda: Path(), "Path cannot be saved"),
        (lambda: 2**4000, "an integer of more than 255 bytes"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(make, message, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"before")
    with pytest.raises(pickle.PicklingError, match=message):
        tinygrad_mnist.save(make(), path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.pt"]
    assert path.read_bytes() == b"before"


def test_a_tuple_that_holds_itself():
    inner = []
    loop = (inner,)
    inner.append(loop)
    with pytest.raises(pickle.PicklingError, match="a tuple that holds itself"):
        tinygrad_mnist.save(loop, io.BytesIO())


def test_one_memory_as_two_types():
    array = np.ones(4, np.float32)
    for engine in (torch, tinygrad_mnist):
        tensors = [engine.from_numpy(array), engine.from_numpy(array.view(np.int32))]
        with pytest.raises(RuntimeError, match="view the same data as different types"):
            engine.save(tensors, io.BytesIO())


CPU = {
    "none": None,
    "name": "cpu",
    "device": lambda engine: engine.device("cpu"),
    "dictionary": {"cuda:0": "cpu"},
    "function": lambda engine: lambda storage, location: storage,
    "function of the CPU": lambda engine: lambda storage, location: storage.cpu(),
    "function that does not care": lambda engine: lambda storage, location: None,
}


@BOTH
@pytest.mark.parametrize("name", CPU)
def test_map_location(name, engine):
    place = CPU[name](engine) if callable(CPU[name]) else CPU[name]
    assert engine.load(saved(engine=engine), map_location=place)["x"].tolist() == [1, 1]


def on_a_gpu():
    """A file as PyTorch writes it of a tensor on a GPU."""
    content = saved(engine=torch).getvalue()
    assert b"X\x03\x00\x00\x00cpu" in content
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            record = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                record = record.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            new.writestr(entry.filename, record)
    file.seek(0)
    return file


@BOTH
@pytest.mark.parametrize("place", [None, "cuda", {"cuda:0": "cuda:1"}])
def test_a_gpu_that_is_not_there(place, engine, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match=r"Attempting to deserialize object on a CUDA device but "
                       r"torch.cuda.is_available\(\) is False"):  # fmt: skip
        engine.load(on_a_gpu(), map_location=place)


@BOTH
@pytest.mark.parametrize("place", ["cpu", {"cuda:0": "cpu"}, lambda storage, location: storage])
def test_what_was_on_a_gpu_comes_to_the_cpu(place, engine):
    assert engine.load(on_a_gpu(), map_location=place)["x"].tolist() == [1, 1]


def error(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        call()
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda engine, folder: engine.load(3),
        lambda engine, folder: engine.load(io.RawIOBase()),
        lambda engine, folder: engine.load(folder / "nothing.pt"),
        lambda engine, folder: engine.load(str(folder)),
        lambda engine, folder: engine.load(saved(), pickle_module=pickle, weights_only=True),
        lambda engine, folder: engine.load(saved(), mmap=True),
        lambda engine, folder: engine.save(1, 3),
        lambda engine, folder: engine.save(1, folder / "no" / "such.pt"),
    ],
)
def test_mistakes_are_told_in_pytorchs_words(call, tmp_path):
    ours, theirs = (error(partial(call, each, tmp_path)) for each in (tinygrad_mnist, torch))
    assert ours == theirs


@pytest.mark.parametrize(
    "options", [{"pickle_protocol": 4}, {"_use_new_zipfile_serialization": False}]
)
def test_other_formats_are_not_written(options):
    with pytest.raises(ValueError, match="writes PyTorch's zip format"):
        tinygrad_mnist.save(1, io.BytesIO(), **options)


def test_other_names_of_pytorchs_module_are_told():
    message = r"serialization\.mkdtemp is not supported .*torch.save and torch.load"
    with pytest.raises(NotImplementedError, match=message):
        tinygrad_mnist.serialization.mkdtemp()
    assert not hasattr(tinygrad_mnist.serialization, "skip_data")


@BOTH
def test_an_empty_file(engine):
    with pytest.raises(EOFError):
        engine.load(io.BytesIO())


@BOTH
def test_a_file_that_was_not_rewound(engine):
    file = io.BytesIO()
    engine.save(1, file)
    with pytest.raises(EOFError):
        engine.load(file)


@BOTH
def test_options_for_pickle_change_nothing(engine):
    with pytest.warns(UserWarning, match="pickle_load_args only works if `weights_only=False`"):
        assert engine.load(saved(engine=engine), encoding="ascii")["x"].tolist() == [1, 1]


@BOTH
@pytest.mark.parametrize("name", ["model.pt", "모델.pt", "no suffix"])
def test_names_of_files(name, engine, tmp_path):
    engine.save({"x": engine.ones(2)}, tmp_path / name)
    with open(tmp_path / name, "rb") as file:
        assert tinygrad_mnist.load(file)["x"].tolist() == [1, 1]
    assert torch.load(str(tmp_path / name))["x"].tolist() == [1, 1]


def test_a_file_opened_by_the_script(tmp_path):
    with (tmp_path / "model.pt").open("wb") as file:
        tinygrad_mnist.save([1], file)
    assert tinygrad_mnist.load(tmp_path / "model.pt") == [1]


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    from tinygrad_mnist.serialization import archive

    path = tmp_path / "model.pt"
    tinygrad_mnist.save([1], path)
    before = path.read_bytes()
    write = archive.Writer.write

    def failing(self, name, content):
        if name == "data/1":
            raise OSError(28, "No space left on device")
        write(self, name, content)

    monkeypatch.setattr(archive.Writer, "write", failing)
    with pytest.raises(RuntimeError, match=r"model\.pt: cannot be written \(No space left"):
        tinygrad_mnist.save([tinygrad_mnist.ones(2), tinygrad_mnist.ones(3)], path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model.pt"]


def test_a_path_to_safetensors(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    save_file({"x": torch.ones(2)}, path)
    for engine in (torch, tinygrad_mnist):
        assert engine.load(path, map_location="cpu")["x"].tolist() == [1, 1]


class FileOf:
    """A file object that has these methods of a file, and no others."""

    def __init__(self, file, *methods):
        for name in methods:
            setattr(self, name, getattr(file, name))


@BOTH
@pytest.mark.parametrize(
    ("methods", "outcome"),
    [
        ("read readline seek tell", None),
        ("read seek tell", None),
        ("read tell", (AttributeError, "only torch.load from a file that is seekable")),
        ("read seek", (AttributeError, "only torch.load from a file that is seekable")),
        ("seek tell", (AttributeError, "no attribute 'read'")),
    ],
)
def test_a_file_object_needs_few_methods(methods, outcome, engine):
    file = FileOf(saved(engine=engine), *methods.split())
    if outcome is None:
        assert engine.load(file)["x"].tolist() == [1, 1]
        return
    with pytest.raises(outcome[0], match=outcome[1]):
        engine.load(file)


@BOTH
def test_a_file_of_text_is_told(engine):
    with pytest.raises(AssertionError, match="Expected bytes, got str"):
        engine.load(io.StringIO("text"))
