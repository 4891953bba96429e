"""Weights in safetensors, exchanged with PyTorch both ways."""

import json
import struct

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

import tinygrad_mnist
from tinygrad_mnist.serialization import safetensors as ours

TYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")


def tensors(engine):
    made = {kind: (engine.arange(6) % 2).reshape(2, 3).to(getattr(engine, kind)) for kind in TYPES}
    return {
        **made,
        "0-d": engine.tensor(1.5),
        "empty": engine.empty(0, 3),
        "손글씨": engine.ones(1),
    }


def same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert repr(tensor) == repr(other[name])
        assert tensor.shape == other[name].shape


def test_both_ways_through_bytes_and_files(tmp_path):
    path = tmp_path / "model.safetensors"
    same(safetensors.torch.load(ours.save(tensors(tinygrad_mnist))), tensors(torch))
    same(ours.load(safetensors.torch.save(tensors(torch))), tensors(tinygrad_mnist))
    ours.save_file(tensors(tinygrad_mnist), path, {"model": "none"})
    same(safetensors.torch.load_file(path), tensors(torch))
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"model": "none"}
    safetensors.torch.save_file(tensors(torch), path, {"a": "b"})
    same(ours.load_file(path), tensors(tinygrad_mnist))
    assert ours.read_metadata(path.read_bytes()) == {"a": "b"}
    assert ours.read_metadata(ours.save({})) == {}


def test_models_both_ways(tmp_path):
    path = tmp_path / "model.safetensors"
    model = tinygrad_mnist.nn.Sequential(tinygrad_mnist.nn.Linear(3, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 2))
    ours.save_file(model.state_dict(), path)
    theirs.load_state_dict(safetensors.torch.load_file(path))
    x = [[1.0, 2.0, 3.0]]
    with torch.no_grad():
        expected = theirs(torch.tensor(x)).tolist()
    assert model(tinygrad_mnist.tensor(x)).tolist()[0] == pytest.approx(expected[0], rel=1e-6)
    theirs[0].reset_parameters()
    safetensors.torch.save_file(theirs.state_dict(), path)
    model.load_state_dict(ours.load_file(path))
    assert model[0].weight.tolist() == theirs[0].weight.tolist()


def tied(engine):
    model = engine.nn.ModuleDict({n: engine.nn.Linear(2, 2, bias=n != "b") for n in "bac"})
    model["c"].weight = model["b"].weight = model["a"].weight
    return model


def test_tied_models_both_ways(tmp_path):
    files = {}
    for engine, module in ((torch, safetensors.torch), (tinygrad_mnist, ours)):
        torch.manual_seed(0)
        tinygrad_mnist.manual_seed(0)
        model, files[engine] = tied(engine), tmp_path / f"{module.__name__}.safetensors"
        module.save_model(model, str(files[engine]), {"own": "text"})
    metadata = [ours.read_metadata(path.read_bytes()) for path in files.values()]
    assert metadata[0] == metadata[1] == {
        "own": "text", "b.weight": "a.weight", "c.weight": "a.weight"
    }  # fmt: skip
    for path in files.values():
        for engine, module in ((torch, safetensors.torch), (tinygrad_mnist, ours)):
            model = tied(engine)
            assert [list(each) for each in module.load_model(model, path)] == [[], []]
            weight = module.load_file(path)["a.weight"].tolist()
            assert model["c"].weight.tolist() == weight


@pytest.mark.parametrize("strict", [True, False])
def test_models_that_do_not_fit(strict, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({"a.weight": torch.ones(2, 2), "x": torch.ones(1)}, path)
    told = []
    for engine, module in ((torch, safetensors.torch), (tinygrad_mnist, ours)):
        if strict:
            with pytest.raises(RuntimeError) as caught:
                module.load_model(tied(engine), path)
            told.append(str(caught.value))
        else:
            told.append([sorted(each) for each in module.load_model(tied(engine), path, False)])
    assert told[0] == told[1]


def test_loaded_tensors_are_ones_own(tmp_path):
    path = tmp_path / "model.safetensors"
    ours.save_file({"x": tinygrad_mnist.ones(2)}, path)
    ours.load_file(path)["x"].zero_()
    assert ours.load_file(path)["x"].tolist() == [1, 1]


@pytest.mark.parametrize("engine", [torch, tinygrad_mnist], ids=["torch", "ours"])
def test_what_the_format_cannot_say(engine, tmp_path):
    save_file = safetensors.torch.save_file if engine is torch else ours.save_file
    x, path = engine.ones(2, 3), tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="save a non contiguous tensor: `x` which is not allowed"):
        save_file({"x": x.t()}, path)
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        save_file({"x": x, "y": x[0]}, path)
    with pytest.raises(ValueError, match=r"Key `x` is invalid, expected torch\.Tensor"):
        save_file({"x": [1]}, path)
    assert list(tmp_path.iterdir()) == []


def test_types_that_are_not_carried():
    content = safetensors.torch.save({"x": torch.ones(2, dtype=torch.complex64)})
    with pytest.raises(NotImplementedError, match="tensor 'x' is of type C64, which tinygrad_mni"):
        ours.load(content)


def with_header(header, content=b"\0" * 8):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello world",
        struct.pack("<Q", 2**62),
        with_header(b"{"),
        with_header({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 16]}}),
        with_header({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}}),
        with_header({"x": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}),
        ours.save({"x": tinygrad_mnist.ones(2)})[:-1],
    ],
)
def test_damaged_files_are_refused(content, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(SafetensorError):
        ours.load_file(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="non contiguous"):
        ours.save_file({"x": tinygrad_mnist.ones(2, 3).t()}, path)
    assert path.read_bytes() == b"before"
    with pytest.raises(
        tinygrad_mnist.serialization.files.WriteError, match="its folder does not exist"
    ):
        ours.save_file({}, tmp_path / "no" / "such")


def test_memory_is_read_in_order():
    x = tinygrad_mnist.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert ours.load(ours.save({"x": x}))["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
