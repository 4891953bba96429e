"""Whole modules, and objects of a program's own classes: saved, loaded, exchanged, and refused."""

import argparse
import importlib
import io
import pickle
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import tinygrad_mnist

from .test_hostile import archive

ENGINES = {"torch": torch, "ours": tinygrad_mnist}
MADE = r"torch\.load\(weights_only=False\) made objects of .*only if you trust it"


def passed_on(value, writer=tinygrad_mnist, reader=tinygrad_mnist):
    """What one engine loads of what another saved."""
    file = io.BytesIO()
    writer.save(value, file)
    file.seek(0)
    if reader is torch:
        return reader.load(file, weights_only=False)
    with pytest.warns(UserWarning, match=MADE):
        return reader.load(file, weights_only=False)


def double(x):
    return 2 * x


@dataclass
class Settings:
    rate: float
    sizes: list


class Slotted:
    __slots__ = ("a",)


def network(engine):
    """A class of a network, on an engine, where a file finds it."""

    class Network(engine.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = engine.nn.Sequential(engine.nn.Linear(3, 4), engine.nn.BatchNorm1d(4))
            self.tied = self.layers[0].weight
            self.act, self.after = engine.nn.functional.relu, double
            self.settings = Settings(0.5, [3, 4])
            self.register_buffer("seen", engine.zeros(2), persistent=False)

        def forward(self, x):
            return self.after(self.act(self.layers(x)))

    Network.__qualname__, Network.__module__ = "Network", "__main__"
    return Network


@pytest.mark.parametrize("writer", ENGINES)
@pytest.mark.parametrize("reader", ENGINES)
def test_a_whole_module_is_exchanged(writer, reader, monkeypatch):
    main = sys.modules["__main__"]
    one, other = ENGINES[writer], ENGINES[reader]
    monkeypatch.setattr(main, "Network", network(one), raising=False)
    model = main.Network()
    x = one.arange(6.0).reshape(2, 3)
    expected = model(x).tolist()
    model.eval()
    written = io.BytesIO()
    one.save({"model": model, "args": argparse.Namespace(lr=0.1)}, written)
    monkeypatch.setattr(main, "Network", network(other))
    written.seek(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = other.load(written, weights_only=False)
    assert [str(each.message).partition(" ")[0] for each in told] == [
        "torch.load(weights_only=False)"
    ] * (other is tinygrad_mnist)
    assert found["args"].lr == 0.1
    again = found["model"]
    assert type(again) is main.Network
    assert not again.training
    assert repr(again) == repr(model)
    assert list(again.state_dict()) == list(model.state_dict())
    assert again.tied is again.layers[0].weight
    assert (again.settings, again.seen.tolist()) == (Settings(0.5, [3, 4]), [0, 0])
    again.train()
    result = again(other.arange(6.0).reshape(2, 3))
    assert result.tolist() == [pytest.approx(row, rel=1e-4, abs=1e-5) for row in expected]
    result.sum().backward()
    assert again.tied.grad.shape == (4, 3)


@pytest.mark.parametrize("writer", ENGINES)
@pytest.mark.parametrize("reader", ENGINES)
def test_what_the_program_says_is_safe_is_loaded(writer, reader):
    one, other = ENGINES[writer], ENGINES[reader]
    if other is torch and one is not torch:
        pytest.skip("PyTorch asks for the module in which it defines a layer; a file has torch.nn")
    written = io.BytesIO()
    one.save(one.nn.Sequential(one.nn.Linear(2, 3), one.nn.MultiheadAttention(2, 1)), written)
    nn, globals = other.nn, other.serialization
    deeper = importlib.import_module(f"{other.__name__}.nn.modules.activation").MultiheadAttention
    attention = [deeper, type(nn.MultiheadAttention(2, 1).out_proj)]
    before = globals.get_safe_globals()
    for allowed in ([nn.Sequential], [nn.Sequential, nn.Linear, *attention], []):
        written.seek(0)
        with globals.safe_globals(allowed):
            assert {*globals.get_safe_globals()} == {*before, *allowed}
            if len(allowed) < 4:
                with pytest.raises(pickle.UnpicklingError, match="not an allowed global"):
                    other.load(written)
            else:
                assert other.load(written)[0].weight.shape == (3, 2)
    globals.add_safe_globals([nn.Linear, nn.Linear])
    assert {*globals.get_safe_globals()} == {*before, nn.Linear}
    globals.clear_safe_globals()
    assert globals.get_safe_globals() == []
    globals.add_safe_globals(before)


def layers():
    """Each layer that both engines have, made with the first of some arguments that suit it."""
    for name in dir(tinygrad_mnist.nn):
        ours, theirs = getattr(tinygrad_mnist.nn, name), getattr(torch.nn, name, None)
        if not (isinstance(ours, type) and issubclass(ours, tinygrad_mnist.nn.Module)):
            continue
        if name.startswith("Lazy"):
            continue
        for arguments in ((), (2,), (2, 3), (2, 3, 1), (1, (2, 2)), (1, 2, 3, 4), (0.1, 0.2)):
            try:
                yield ours(*arguments), theirs(*arguments)
            except (TypeError, ValueError, AssertionError):
                continue
            break


@pytest.mark.parametrize("what", [lambda layer: layer, lambda layer: layer.state_dict()])
def test_what_has_no_shape_yet_is_refused(what):
    with pytest.raises(pickle.PicklingError, match=r"it has no shape yet\. Call its lazy module"):
        tinygrad_mnist.save(what(tinygrad_mnist.nn.LazyLinear(2)), io.BytesIO())


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_every_layer_is_exchanged():
    count = 0
    for pair in layers():
        for one, reader in zip(pair, (torch, tinygrad_mnist), strict=True):
            writer = tinygrad_mnist if reader is torch else torch
            again = passed_on(one, writer, reader)
            assert type(again).__name__ == type(one).__name__
            assert repr(again) == repr(one)
            assert again.state_dict().keys() == one.state_dict().keys()
            assert again.__dict__.keys() >= reader.nn.Module().__dict__.keys()
        count += 1
    assert count >= 90


def test_objects_of_own_classes():
    slotted = Slotted()
    slotted.a = [1]
    assert passed_on(slotted).a == [1]
    assert passed_on([Settings, double]) == [Settings, double]
    values = [tinygrad_mnist.relu, tinygrad_mnist.nn.functional.gelu, tinygrad_mnist.nn.Linear]
    assert passed_on(values) == values


class Local:
    class Inner:
        pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Local.Inner(), "inside of another class"),
        (Local.Inner, "inside of another class"),
        (lambda: None, "lambda"),
        (tinygrad_mnist.nn.Sequential(), "Hook cannot be saved"),
        (argparse.ArgumentParser(), "ArgumentParser cannot be saved"),
        (io.StringIO(), "StringIO cannot be saved"),
        (tinygrad_mnist.Generator(), "Generator cannot be saved"),
        (sys, "module cannot be saved"),
    ],
)
def test_what_is_not_saved(value, message):
    if isinstance(value, tinygrad_mnist.nn.Module):
        value.register_forward_hook(double)
    with pytest.raises((pickle.PicklingError, AttributeError), match=message):
        tinygrad_mnist.save({"x": value}, io.BytesIO())


FOREIGN = [
    *[("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "getattr")],
    *[("subprocess", "Popen"), ("pickle", "loads"), ("numpy", "load"), ("functools", "partial")],
    *[("tinygrad_mnist.serialization.loading", "load"), ("tinygrad_mnist", "load")],
    *[("torch", "load"), ("torch.hub", "load"), ("torch.nn", "LazyLSTM"), ("torch.nn", "Absent")],
    *[("torch", "__builtins__"), ("collections", "UserDict"), ("logging", "Logger")],
    *[("no_such_module", "f"), ("", "f"), ("argparse", "ArgumentParser")],
]
USES = {
    "calls": b"X\x01\x00\x00\x00x\x85R.",
    "makes": b")\x81.",
    "makes and builds": b")\x81}b.",
    "builds": b"}X\x01\x00\x00\x00aK\x01sb.",
}


@pytest.mark.parametrize("use", USES)
def test_nothing_of_others_is_called_even_if_the_file_is_trusted(use):
    names = FOREIGN if use == "makes" else [("os", "system"), (__name__, "double")]
    for module, name in [*names, *[(__name__, "Settings")] * (use in ("calls", "builds"))]:
        content = archive(f"\x80\x02c{module}\n{name}\n".encode() + USES[use])
        for trusted in (False, True):
            with (
                warnings.catch_warnings(action="ignore"),
                pytest.raises(pickle.UnpicklingError, match="oad failed: "),
            ):
                tinygrad_mnist.load(io.BytesIO(content), weights_only=not trusted)


def test_a_class_that_the_program_has_not_is_told_as_by_pickle():
    content = archive(b"\x80\x02c__main__\nNoSuchClass\n)\x81.")
    with pytest.raises(AttributeError, match="Can't get attribute 'NoSuchClass' on <module"):
        tinygrad_mnist.load(io.BytesIO(content), weights_only=False)


def test_weights_only_refuses_in_pytorchs_words():
    file = io.BytesIO()
    tinygrad_mnist.save(Settings(1.0, []), file)
    words = f"Unsupported global: GLOBAL {__name__}.Settings was not an allowed global by default."
    for engine in ENGINES.values():
        for options in ({}, {"weights_only": True}):
            file.seek(0)
            with pytest.raises(pickle.UnpicklingError, match=words):
                engine.load(file, **options)


def test_plain_files_are_loaded_without_a_word():
    file = io.BytesIO()
    tinygrad_mnist.save({"x": tinygrad_mnist.ones(2)}, file)
    file.seek(0)
    found = tinygrad_mnist.load(file, weights_only=False, pickle_module=pickle)
    assert found["x"].tolist() == [1, 1]
    with pytest.raises(NotImplementedError, match="leave out pickle_module and encoding"):
        tinygrad_mnist.load(file, weights_only=False, encoding="latin1")


def test_a_module_of_the_programs_own_is_imported(tmp_path, monkeypatch):
    (tmp_path / "own_model_file.py").write_text("class Thing:\n    pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    content = archive(b"\x80\x02cown_model_file\nThing\n)\x81.")
    with pytest.warns(UserWarning, match=MADE):
        found = tinygrad_mnist.load(io.BytesIO(content), weights_only=False)
    assert type(found) is sys.modules.pop("own_model_file").Thing


def test_modules_with_hooks_are_refused():
    model = torch.nn.Linear(1, 1)
    model.register_forward_hook(double)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="a module with hooks"):
        tinygrad_mnist.load(file, weights_only=False)


ARRAYS = [
    np.arange(6.0).reshape(2, 3), np.arange(4, dtype=">i2").reshape(2, 2).T, np.array(["a", "bcd"]),
    np.array([True]), np.zeros((0, 3), np.float16), np.array(5), np.arange(5_000, dtype=np.uint8),
    np.float64(3), np.complex64(1j), np.bool_(True), np.str_("text"), np.dtype("<f4"),
]  # fmt: skip


def native(value):
    """The type in which NumPy loads a value: it changes the order of bytes."""
    return value.dtype.newbyteorder("=") if hasattr(value, "dtype") else None


@pytest.mark.parametrize("writer", ENGINES)
@pytest.mark.parametrize("reader", ENGINES)
def test_arrays_are_exchanged(writer, reader):
    file = io.BytesIO()
    ENGINES[writer].save([ARRAYS, ARRAYS[0]], file)
    file.seek(0)
    found, again = ENGINES[reader].load(file, weights_only=False)
    assert again is found[0]
    for array, wanted in zip(found, ARRAYS, strict=True):
        assert type(array) is type(wanted)
        assert np.array_equal(array, wanted)
        assert getattr(array, "dtype", None) == native(wanted)
    file.seek(0)
    with pytest.raises(
        pickle.UnpicklingError, match=r"multiarray\._reconstruct was not an allowed"
    ):
        ENGINES[reader].load(file)


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}], object), np.zeros(2, [("a", "f4")]), np.datetime64("2026"),
        np.ones(2).view(type("Own", (np.ndarray,), {"__module__": "__main__"})),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(value, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "Own", type(value), raising=False)
    content = archive(pickle.dumps(value, 2))
    with pytest.raises(pickle.UnpicklingError, match="it holds an array of"):
        tinygrad_mnist.load(io.BytesIO(content), weights_only=False)


def test_arrays_are_as_long_as_they_say():
    content = pickle.dumps(np.arange(3, dtype=np.int8), 2)
    for shape in (b"K\x04\x85", b"K\x02\x85", b"J\xff\xff\xff\xff\x85", b"N\x85"):
        changed = io.BytesIO(archive(content.replace(b"K\x03\x85", shape)))
        with pytest.raises(pickle.UnpicklingError, match="Load failed: it"):
            tinygrad_mnist.load(changed, weights_only=False)
