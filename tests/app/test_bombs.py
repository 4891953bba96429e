"""Small files that would take much memory or time: every reader refuses them in few words."""

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib

import pytest
from safetensors import SafetensorError

import tinygrad_mnist as torch
from tinygrad_mnist.app import checkpoints, evaluation, pictures
from tinygrad_mnist.app.datasets import DataError, digits, reading
from tinygrad_mnist.serialization import pickles, safetensors
from tinygrad_mnist.serialization.files import ReadError
from tinygrad_mnist.tools.scripts import program
from tinygrad_mnist.tools.scripts.program import ScriptError

LONGEST = 5_000
"""Letters of an error text."""


def archive(content, **records):
    """A file like PyTorch's, with the pickle given and other records by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, record in {"data.pkl": content, "version": "3\n", **records}.items():
            opened.writestr(f"archive/{name}", record)
    return file.getvalue()


DOUBLED = b")" + b"q\x00h\x00\x86" * 60
"""A tuple of two that are the same tuple, and so on: 2⁶⁰ parts in 240 bytes."""
MANY = b"](" + b"N" * 1_000 + b"eq\x01"
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
ODICT = b"ccollections\nOrderedDict\n"
REDUCED = (
    "torch Size", "torch device", "torch.serialization _get_layout", "collections Counter",
    "collections OrderedDict", "builtins set", "builtins bytearray", "builtins complex",
    "_codecs encode",
)  # fmt: skip
PICKLES = {
    "tuples in tuples": b")" + b"\x85" * 11_000,
    "lists in lists": b"]" * 11_000 + b"a" * 10_999,
    "dicts in dicts": b"}" + b"N}" * 11_000 + b"s" * 11_000,
    "attributes in attributes": (ODICT + b")R}X\x01\x00\x00\x00a") * 11_000 + b"N" + b"sb" * 11_000,
    "a doubled result": DOUBLED,
    "doubled lists": b"]" + b"".join(b"q%c](h%ch%ce" % (i, i, i) for i in range(60)),
    "a doubled key": b"}" + DOUBLED + b"Ns",
    "a key that is deep": b"}" + b")" + b"\x85" * 11_000 + b"Ns",
    "a doubled name": DOUBLED + b"X\x01\x00\x00\x00a\x93",
    "a deep name": b")" + b"\x85" * 11_000 + b"X\x01\x00\x00\x00a\x93",
    "a doubled state": ODICT + b")R" + DOUBLED + b"b",
    "a doubled attribute": ODICT + b")R}X\x01\x00\x00\x00a" + DOUBLED + b"sb",
    "a doubled identifier": DOUBLED + b"Q",
    "a doubled key of memory": STORAGE + DOUBLED + b"X\x03\x00\x00\x00cpuK\x04tQ",
    "a doubled count of numbers": (
        STORAGE + b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + DOUBLED + b"tQ"
    ),
    "a count of 3 million digits": b"I" + b"9" * 3_000_000 + b"\n",
    "a count of 3 million bytes": b"\x8b" + struct.pack("<i", 3_000_000) + b"\x7f" * 3_000_000,
    "a name of 2 million letters": b"c" + b"a" * 2_000_000 + b"\nb\n",
    "one list to many sets": (
        b"cbuiltins\nset\nq\x02" + MANY + b"(" + b"h\x02h\x01\x85R" * 1_000 + b"t"
    ),
    "one text to many bytearrays": b"cbuiltins\nbytearray\nq\x00B" + struct.pack("<I", 500_000)
    + bytes(500_000) + b"q\x01(" + b"h\x00h\x01\x85R" * 1_000 + b"t",
    "one key to many items": b"(" + b"N" * 900 + b"tq\x00}(" + b"h\x00N" * 2_000 + b"u",
    **{
        f"a doubled argument of {name}": (
            b"c%s\n%s\n" % tuple(name.encode().split()) + DOUBLED + b"\x85R"
        )
        for name in REDUCED
    },
}  # fmt: skip
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
F4 = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"


def npz(shape, name="x_train.npy"):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for each in (name, "y_train.npy"):
            opened.writestr(each, b"\x93NUMPY\x01\x00\x76\x00" + header.encode())
    return file.getvalue()


def large_npz():
    """Nothing, but an entry of the directory says 2 GiB."""
    content = npz((1,))
    place = content.rindex(b"PK\x01\x02") + 24
    return content[:place] + struct.pack("<I", 2**31) + content[place + 4 :]


def png(width, height, bits=16):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    end = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + chunk + end


def tensors(header):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header


def notebook(source):
    return json.dumps({"cells": [{"cell_type": "code", "source": source}]}).encode()


def tensor(shape):
    return {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}


CHECKPOINT = {"format": checkpoints.FORMAT, "version": checkpoints.VERSION}
NINES = b"9" * 3_000_000


def saved(**fields):
    file = io.BytesIO()
    torch.save({**CHECKPOINT, **fields}, file)
    return file.getvalue()


def doubled(count=14):
    thing = ()
    for _ in range(count):
        thing = (thing, thing)
    return thing


READERS = {
    "torch.load": (lambda content, path: torch.load(io.BytesIO(content)),
                   (pickle.UnpicklingError, RuntimeError)),
    "mnist.pkl.gz": (lambda content, path: reading.decode_pickle(content, "digits"), DataError),
    "IDX": (lambda content, path: reading.check("t10k-labels-idx1-ubyte", content, "labels"),
            DataError),
    "npz": (lambda content, path: digits.load_archive(path), DataError),
    "picture": (lambda content, path: pictures.read(path), ReadError),
    "safetensors": (lambda content, path: safetensors.load(content), SafetensorError),
    "model": (lambda content, path: evaluation.load(path), ReadError),
    "checkpoint": (lambda content, path: checkpoints.read(path), ReadError),
    "notebook": (lambda content, path: program.read(path.rename(path.with_suffix(".ipynb"))),
                 ScriptError),
}  # fmt: skip
BOMBS = [
    *(("torch.load", what, archive(b"\x80\x02" + content + b"."))
      for what, content in PICKLES.items()),
    ("torch.load", "a version of 3 million digits", archive(b"\x80\x02N.", version=NINES)),
    ("torch.load", "a byte order as long", archive(b"\x80\x02N.", byteorder=NINES)),
    *(("mnist.pkl.gz", what, gzip.compress(b"\x80\x02" + content + b"."))
      for what, content in PICKLES.items()),
    ("mnist.pkl.gz", "a doubled shape", gzip.compress(
        b"\x80\x02" + ARRAY + b"(K\x01" + DOUBLED + DOUBLED + b"\x86" + F4 + b"\x89U\x00tb.")),
    ("mnist.pkl.gz", "zeros", gzip.compress(bytes(270_000_000), 1)),
    ("IDX", "zeros", gzip.compress(bytes(100_000_000), 1)),
    ("IDX", "a shape of 2**96 bytes", b"\0\0\x08\x03" + b"\xff" * 12),
    ("npz", "a shape of 2**62 numbers", npz((2**62,))),
    ("npz", "a shape of 2**40 numbers", npz((2**40,))),
    ("npz", "2 GiB in an entry", large_npz()),
    ("npz", "no archive, of 2**62 numbers", npz((2**62,))[41:-50]),
    ("picture", "88 million pixels", png(9_400, 9_400)),
    ("picture", "2**62 pixels", png(2**31 - 1, 2**31 - 1)),
    ("picture", "a program for Ghostscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ("safetensors", "a size of 3 million digits", tensors(json.dumps(tensor([0])).encode().replace(
        b"[0]", b"[" + NINES + b"]"))),
    ("safetensors", "a million dimensions", tensors(tensor([1] * 100_000 + [0]))),
    ("safetensors", "a size of 2**63 beside one of 0", tensors(tensor([0, 2**63]))),
    ("safetensors", "objects in objects", tensors(b'{"__metadata__":' + b'{"a":' * 100_000)),
    ("model", "objects in objects", tensors(b'{"__metadata__":' + b'{"a":' * 100_000)),
    ("model", "a name of a model of 10 million letters",
     tensors({"__metadata__": {"model": "x" * 10_000_000}})),
    ("checkpoint", "a version that is a tensor", saved(version=torch.ones(3))),
    ("checkpoint", "a doubled version", saved(version=doubled())),
    ("checkpoint", "a doubled setting", saved(settings={"model": doubled()})),
    ("checkpoint", "a format that is a tensor", saved(format=torch.ones(3))),
    ("checkpoint", "a long list", saved(settings=["x" * 100_000] * 1_000)),
    ("notebook", "a number of 3 million digits", b'{"cells": [' + NINES + b"]}"),
    ("notebook", "lists in lists", b'{"cells":' + b"[" * 1_000_000),
    ("notebook", "a language of 10 million letters",
     b'{"cells": [], "metadata": {"language_info": {"name": "%s"}}}' % (b"x" * 10_000_000)),
    ("notebook", "null bytes", notebook("x = 1\0")),
    ("notebook", "half a surrogate pair", notebook("x = '\ud800'")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "content"),
    [pytest.param(reader, content, id=f"{reader}-{what}") for reader, what, content in BOMBS],
)
def test_a_bomb_is_refused_in_few_words(reader, content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    read, errors = READERS[reader]
    with pytest.raises(errors) as caught:
        read(content, path)
    assert 0 < len(str(caught.value)) < LONGEST


def test_what_is_shared_within_reason_is_read():
    file = io.BytesIO()
    torch.save([[[0] * 1_000] * 1_000, [("a", 1)] * 5_000], file)
    file.seek(0)
    table, pairs = torch.load(file)
    assert (len(table), sum(map(len, table)), len(set(pairs))) == (1_000, 1_000_000, 1)
    assert table[0] is table[999]


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_what_is_nested_is_read_as_it_was_saved(kind):
    depth = pickles.MOST_NESTED
    for count in (3_000, depth - 1, depth):
        nested = kind()
        for _ in range(count):
            nested = {"a": nested} if kind is dict else kind((nested,))
        if count == depth:
            with pytest.raises(pickle.PicklingError, match="nested more than 10,000 deep"):
                torch.save(nested, io.BytesIO())
            continue
        file = io.BytesIO()
        torch.save(nested, file)
        file.seek(0)
        found, steps = torch.load(file), 0
        while found:
            (found,) = found.values() if kind is dict else found
            steps += 1
        assert steps == count


def test_names_that_a_state_has_are_told_up_to_a_length():
    model = torch.nn.Linear(2, 1)
    state = {f"{number}.{'x' * 90}": torch.ones(1) for number in range(10_000)}
    with pytest.raises(RuntimeError, match=r"(?s)Missing key.*Unexpected key.*and 8,9") as caught:
        model.load_state_dict(state)
    assert len(str(caught.value)) < 110_000
    with pytest.raises(RuntimeError, match="900,002 more characters"):
        model.load_state_dict({"x" * 1_000_000: torch.ones(1)})
