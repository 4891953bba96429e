"""What either engine saves, the other loads: everything equal, and shared where it was shared."""

import io
import tracemalloc
import zipfile

import pytest
import torch

import tinygrad_mnist
from tests.serialization.values import OBJECTS, described

ENGINES = {"torch": torch, "tinygrad_mnist": tinygrad_mnist}


def exchanged(value, writer, reader):
    file = io.BytesIO()
    writer.save(value, file)
    file.seek(0)
    return reader.load(file)


@pytest.mark.parametrize("writer", ENGINES)
@pytest.mark.parametrize("name", OBJECTS)
def test_the_other_engine_loads_it(name, writer):
    value = OBJECTS[name](ENGINES[writer])
    if name == "texts" and writer == "torch":
        value.remove(b"")  # PyTorch writes it as a call of bytes(), which it does not load
    found = {reader: described(exchanged(value, ENGINES[writer], ENGINES[reader]))
             for reader in ENGINES}  # fmt: skip
    assert found["torch"] == found["tinygrad_mnist"]
    assert found["torch"] == described(exchanged(value, *[ENGINES[writer]] * 2))
    if name not in ("computed", "views"):
        assert found[writer] == described(value)


def test_bytes_that_pytorch_cannot_load_are_loaded():
    file = io.BytesIO()
    torch.save(b"", file)
    file.seek(0)
    assert tinygrad_mnist.load(file) == b""


@pytest.mark.parametrize("writer", ENGINES)
def test_what_was_shared_is_shared(writer):
    (reader,) = (engine for name, engine in ENGINES.items() if name != writer)
    views = exchanged(OBJECTS["views"](ENGINES[writer]), ENGINES[writer], reader)
    views["whole"][1, 1] = 100.0
    assert views["column"][1] == 100.0
    assert views["transposed"][1, 1] == 100.0
    views["tail"][0, 0] = -1.0
    assert views["whole"][1, 2] == -1.0


def test_a_tied_model_stays_tied():
    for writer, reader in ((torch, tinygrad_mnist), (tinygrad_mnist, torch)):
        model = writer.nn.ModuleDict({"a": writer.nn.Linear(2, 2), "b": writer.nn.Linear(2, 2)})
        model["b"].weight = model["a"].weight
        state = exchanged(model.state_dict(), writer, reader)
        state["a.weight"].zero_()
        assert state["b.weight"].abs().sum() == 0


@pytest.mark.parametrize("mmap", [None, False, True])
@pytest.mark.parametrize("map_location", [None, "cpu"])
def test_through_paths_as_scripts_write_it(map_location, mmap, tmp_path):
    path = tmp_path / "model.pt"
    for writer, reader in ((torch, tinygrad_mnist), (tinygrad_mnist, torch)):
        saved, model = writer.nn.Linear(3, 2), reader.nn.Linear(3, 2)
        writer.save(saved.state_dict(), path)
        state = reader.load(path, map_location=map_location, weights_only=True, mmap=mmap)
        assert str(model.load_state_dict(state)) == "<All keys matched successfully>"
        assert model.weight.tolist() == saved.weight.tolist()
        assert not any(
            tensor.requires_grad for tensor in reader.load(str(path), map_location).values()
        )


def test_an_optimizer_goes_on_where_it_was():
    def made(engine):
        weight = engine.nn.Parameter(engine.ones(3))
        return weight, engine.optim.Adam([weight], lr=0.1)

    def step(engine, weight, optimizer):
        (weight * engine.arange(3.0)).sum().backward()
        optimizer.step()

    weight, optimizer = made(torch)
    step(torch, weight, optimizer)
    state = exchanged([weight, optimizer.state_dict()], torch, tinygrad_mnist)
    ours, adam = made(tinygrad_mnist)
    ours.data.copy_(state[0].data)
    adam.load_state_dict(state[1])
    optimizer.zero_grad()
    step(torch, weight, optimizer)
    step(tinygrad_mnist, ours, adam)
    assert ours.tolist() == pytest.approx(weight.tolist(), rel=1e-6)


def test_loaded_tensors_can_be_trained():
    x = exchanged(torch.ones(3, requires_grad=True), torch, tinygrad_mnist)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    with tinygrad_mnist.no_grad():
        x -= x.grad
    assert x.tolist() == [-1.0, -1.0, -1.0]


def test_random_states_continue_in_the_other_engine():
    tinygrad_mnist.manual_seed(5)
    tinygrad_mnist.rand(3)
    state = exchanged({"rng": tinygrad_mnist.get_rng_state()}, tinygrad_mnist, torch)
    torch.set_rng_state(state["rng"])
    assert torch.rand(4).tolist() == tinygrad_mnist.rand(4).tolist()


def records(value, engine):
    file = io.BytesIO()
    engine.save(value(engine), file)
    with zipfile.ZipFile(file) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


@pytest.mark.parametrize("name", ["module", "adam", "views", "expanded", "0-d", "types"])
def test_records_are_pytorchs(name):
    ours, theirs = (records(OBJECTS[name], engine) for engine in (tinygrad_mnist, torch))
    del theirs["archive/.data/serialization_id"], ours["archive/data.pkl"]
    del theirs["archive/data.pkl"]
    assert ours == theirs


def test_the_same_object_gives_the_same_file():
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        tinygrad_mnist.save({"x": tinygrad_mnist.ones(3)}, file)
    assert files[0].getvalue() == files[1].getvalue()


def test_memory_begins_where_it_can_be_mapped():
    file = io.BytesIO()
    tinygrad_mnist.save([tinygrad_mnist.full((n,), float(n)) for n in range(1, 40)], file)
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            start = entry.header_offset + 30 + len(entry.filename) + len(entry.extra)
            assert start % 64 == 0, entry


def test_large_memory_is_copied_once(tmp_path):
    path = tmp_path / "large.pt"
    value = {"x": tinygrad_mnist.zeros(5_000_000)}
    tracemalloc.start()
    try:
        tinygrad_mnist.save(value, path)
        _, while_saving = tracemalloc.get_traced_memory()
        loaded = tinygrad_mnist.load(path)
        _, while_loading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert loaded["x"].shape == (5_000_000,)
    assert while_saving < 5_000_000  # of 20 MB
    assert while_loading < 25_000_000
