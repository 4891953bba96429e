"""The tutorial's pickle: read in every protocol, while a hostile one runs nothing."""

import io
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.datasets.tiny import tiny_pairs
from tinygrad_mnist.app.datasets import DataError, reading


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 with NumPy 1 wrote: byte strings, and NumPy's old module names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: bytes | str) -> None:
        raw = value if isinstance(value, bytes) else value.encode("ascii")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode("ascii"))

    dispatch[bytes] = save_string
    dispatch[str] = save_string
    dispatch[type] = save_global
    dispatch[type(len)] = save_global


def python2_pickle(value: object) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def numpy_pickle(protocol: int) -> Callable[[object], bytes]:
    return lambda value: pickle.dumps(value, protocol=protocol)


@pytest.mark.parametrize(
    "dump",
    [python2_pickle, *map(numpy_pickle, (3, 4, 5))],
    ids=["Python 2", "protocol 3", "protocol 4", "protocol 5"],
)
def test_every_way_of_writing_gives_the_arrays(dump: Callable[[object], bytes]) -> None:
    pairs = tiny_pairs()
    for expected, found in zip(
        pairs, reading.from_pickle(dump(tuple(pairs)), "a file"), strict=True
    ):
        for array, copy in zip(expected, found, strict=True):
            assert copy.dtype == array.dtype
            assert copy.flags.writeable
            assert copy.flags.c_contiguous
            np.testing.assert_array_equal(copy, array)


def test_fortran_order_is_understood() -> None:
    pairs = [(np.asfortranarray(x), y) for x, y in tiny_pairs()]
    (x_train, _), _, _ = reading.from_pickle(pickle.dumps(pairs), "a file")
    np.testing.assert_array_equal(x_train, pairs[0][0])
    assert x_train.flags.c_contiguous


class Calls:
    """Pickles into a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def named(module: str, name: str, argument: bytes = b"") -> bytes:
    """A pickle that calls module.name(argument)."""
    return b"\x80\x02c%s\n%s\nU%c%s\x85R." % (
        module.encode(),
        name.encode(),
        len(argument),
        argument,
    )


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("depth", ["top", "within the pairs", "in a dtype"])
def test_no_code_runs(tmp_path: Path, protocol: int, depth: str) -> None:
    canary = tmp_path / "canary"
    call = Calls(os.system, f"touch {canary}")
    value: object = call
    if depth == "within the pairs":
        value = (*tiny_pairs()[:2], (call, call))
    elif depth == "in a dtype":
        value = Calls(np.dtype, call)
    with pytest.raises(DataError, match=r"^some/file: is not a pickle to be trusted"):
        reading.from_pickle(pickle.dumps(value, protocol=protocol), "some/file")
    assert not canary.exists()
    pickle.loads(pickle.dumps(call))  # the canary does sing
    assert canary.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("_codecs", "encode"),
        ("copyreg", "_reconstructor"),
        ("numpy", "load"),
        ("numpy", "ndarray.__class__"),
        ("numpy", "dtype.__init__.__globals__"),
        ("numpy", "matrix"),
        ("numpy.testing", "assert_equal"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py", "compile"),
        ("numpy.f2py.diagnose", "run_command"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "fromfile"),
        ("numpy.core.multiarray", "_reconstruct.__self__"),
        ("numpy.ma.core", "_mareconstruct"),
        ("tinygrad_mnist.app.datasets.reading", "read"),
    ],
)
def test_only_what_an_array_needs_has_a_name(module: str, name: str) -> None:
    text = b"\x8c%c%s\x8c%c%s\x93)R." % (len(module), module.encode(), len(name), name.encode())
    for content in (named(module, name), b"\x80\x04" + text):
        with pytest.raises(DataError, match=rf"names '{module}', '{name}'"):
            reading.from_pickle(content, "some/file")


OPCODES = {
    "INST": b"\x80\x02(ios\nsystem\n.",
    "OBJ": b"\x80\x02(cnumpy\ndtype\no.",
    "NEWOBJ": b"\x80\x02cnumpy\ndtype\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04cnumpy\ndtype\n)N\x92.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"\x80\x02Psecret\n.",
    "BINPERSID": b"\x80\x02NQ.",
    "EMPTY_DICT": b"\x80\x02}.",
    "EMPTY_SET": b"\x80\x04\x8f.",
    "LONG4": b"\x80\x02\x8b\xff\xff\xff\x7f1.",
    "STRING": b"\x80\x02S'text'\n.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "DUP": b"\x80\x02N2.",
}


@pytest.mark.parametrize("opcode", OPCODES)
def test_other_opcodes_are_refused_or_broken(opcode: str) -> None:
    with pytest.raises(DataError, match=f"opcode {opcode}|damaged"):
        reading.from_pickle(OPCODES[opcode], "some/file")


def array_pickle(dtype: bytes, state: bytes, shape: bytes, raw: bytes) -> bytes:
    """A pickle of one array, by hand: all four are opcodes."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\n" + dtype + b"K\x00K\x01\x87R" + state + b"b"
        b"\x89" + raw + b"tb."
    )


F4 = b"U\x02f4"
LITTLE = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t"
FOUR_BYTES = b"U\x04\0\0\0\0"


def test_the_array_by_hand_is_sound() -> None:
    with pytest.raises(DataError, match="does not hold"):
        reading.from_pickle(array_pickle(F4, LITTLE, b"K\x01\x85", FOUR_BYTES), "some/file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array_pickle(b"U\x01O", LITTLE, b"K\x01\x85", FOUR_BYTES), "neither float32 nor int64"),
        (array_pickle(b"U\x02O8", LITTLE, b"K\x01\x85", b"]"), "neither float32 nor int64"),
        (array_pickle(b"N", LITTLE, b"K\x01\x85", FOUR_BYTES), "neither float32 nor int64"),
        (array_pickle(F4, LITTLE[:-3] + b"K\x3ft", b"K\x01\x85", FOUR_BYTES), "unusual dtype"),
        (array_pickle(F4, LITTLE.replace(b"<", b">"), b"K\x01\x85", FOUR_BYTES), "unusual dtype"),
        (array_pickle(F4, b"N", b"K\x01\x85", FOUR_BYTES), "damaged"),
        (array_pickle(F4, LITTLE, b"K\x02\x85", FOUR_BYTES), "announces shape"),
        (array_pickle(F4, LITTLE, b"J\xff\xff\xff\xff\x85", FOUR_BYTES), "announces shape"),
        (array_pickle(F4, LITTLE, b"(" + b"J\xff\xff\xff\x7f" * 9 + b"t", FOUR_BYTES), "shape"),
        (array_pickle(F4, LITTLE, b"(" + b"K\x01" * 99 + b"t", FOUR_BYTES), "shape"),
        (array_pickle(F4, LITTLE, b")", FOUR_BYTES), "shape"),
        (array_pickle(F4, LITTLE, b"K\x01", FOUR_BYTES), "shape"),
        (array_pickle(F4, LITTLE, b"K\x01\x85", b"]"), "something else than an array"),
        (array_pickle(F4, LITTLE, b"K\x01\x85", b"cnumpy\nndarray\n"), "something else"),
        (array_pickle(F4, LITTLE, b"K\x01\x85", b"U\x03\0\0\0"), "damaged"),
        (b"\x80\x02cnumpy\nndarray\nK\x09\x85R.", "damaged"),
        (b"\x80\x02cnumpy\nndarray\nNb.", "gives a state to a"),
        (b"\x80\x02cnumpy\ndtype\nNb.", "gives a state to a"),
        (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nNN\x87R.", "else than"),
    ],
)
def test_an_array_is_built_only_from_what_fits(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        reading.from_pickle(content, "some/file")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a memo of two thousand million entries
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",  # a string of 2**62 bytes
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",  # a frame as long
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"\x80\x02]" + b"\x85" * 100_000 + b".",
        b"\x80\x02" + b"N" * 10_000_000 + b".",
    ],
    ids=["memo", "string", "frame", "marks", "nesting", "stack"],
)
def test_a_memory_bomb_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^some/file: is (not|a damaged) "):
        reading.from_pickle(content, "some/file")


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        tiny_pairs()[:2],
        [pair[:1] for pair in tiny_pairs()],
        [(y, x) for x, y in tiny_pairs()],
        [(x[:, :783], y) for x, y in tiny_pairs()],
        [(x[:-1], y) for x, y in tiny_pairs()],
        [(x.astype(np.int64), y) for x, y in tiny_pairs()],
        [(x, y.astype(np.float32)) for x, y in tiny_pairs()],
        [(x, y[:, None]) for x, y in tiny_pairs()],
        [b"ab", b"cd", b"ef"],
    ],
)
def test_another_layout_is_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"^some/file: does not hold \(\(x, y\)"):
        reading.from_pickle(pickle.dumps(value, protocol=4), "some/file")


VALID = python2_pickle(tuple((x[:1], y[:1]) for x, y in tiny_pairs()))


@given(st.data())
def test_a_damaged_pickle_is_refused_or_still_one(data: st.DataObject) -> None:
    content = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(VALID) - 1))] = data.draw(st.integers(0, 255))
    try:
        pairs = reading.from_pickle(bytes(content), "some/file")
    except DataError:
        return
    assert all(x.shape == (len(y), 784) for x, y in pairs)


@given(st.integers(0, len(VALID) - 1))
def test_a_cut_off_pickle_is_refused(length: int) -> None:
    with pytest.raises(DataError, match="damaged"):
        reading.from_pickle(VALID[:length], "some/file")
