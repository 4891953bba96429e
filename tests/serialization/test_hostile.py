"""Files that nobody should trust: they are refused with a sentence, and nothing in them runs."""

import io
import os
import pickle
import struct
import zipfile
import zlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tinygrad_mnist.serialization.archive import LEGACY

REFUSALS = (pickle.UnpicklingError, RuntimeError, NotImplementedError, EOFError, ValueError)


def archive(content, *, compression=zipfile.ZIP_STORED, folder="archive", **records):
    """A file like PyTorch's, with the pickle given and other records by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        opened.writestr(f"{folder}/data.pkl", content)
        for name, record in {"version": "3\n", "byteorder": "little", **records}.items():
            opened.writestr(f"{folder}/{name}", record)
    return file.getvalue()


def load(content):
    return tinygrad_mnist.load(io.BytesIO(content))


def refused(content, message=None):
    with pytest.raises(REFUSALS, match=message) as caught:
        load(content)
    assert str(caught.value).strip()
    return caught.value


def tensor_pickle(
    storage=b"ctorch\nFloatStorage\n", key=b"0", place=b"cpu", count=4, offset=0,
    size=b"K\x04\x85", stride=b"K\x01\x85",
):  # fmt: skip
    """The pickle of one tensor."""
    text = b"".join(b"X%s%s" % (struct.pack("<I", len(part)), part) for part in (key, place))
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage" + storage + text
        + b"J" + struct.pack("<i", count) + b"tQJ" + struct.pack("<i", offset) + size + stride
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


FOUR = struct.pack("<4f", 1, 2, 3, 4)


def test_the_tensor_by_hand_is_sound():
    content = archive(tensor_pickle(), **{"data/0": FOUR})
    assert load(content).tolist() == [1, 2, 3, 4]
    assert torch.load(io.BytesIO(content)).tolist() == [1, 2, 3, 4]


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_no_code_runs(protocol, tmp_path):
    canary = tmp_path / "canary"
    call = Calls(os.system, f"touch {canary}")
    for value in (call, [call], {"state": call}, Calls(dict, call)):
        content = pickle.dumps(value, protocol=protocol)
        refused(archive(content), "Weights only load failed: (it uses|.*Unsupported global)")
        refused(content, "no zip archive")
        refused(LEGACY + content, "Weights only load failed|is damaged")
    assert not canary.exists()
    pickle.loads(pickle.dumps(call))  # the canary does sing
    assert canary.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "exec"),
        ("builtins", "object"),
        ("subprocess", "Popen"),
        ("functools", "partial"),
        ("operator", "attrgetter"),
        ("copyreg", "_reconstructor"),
        ("torch", "load"),
        ("torch", "Tensor.__init__.__globals__"),
        ("torch.nn", "Linear"),
        ("torch.hub", "load"),
        ("torch._utils", "_rebuild_wrapper_subclass"),
        ("torch.serialization", "load"),
        ("collections", "defaultdict"),
        ("collections", "namedtuple"),
        ("numpy", "load"),
        ("numpy._core.multiarray", "scalar"),
        ("tinygrad_mnist.serialization.loading", "unpickle"),
    ],
)
def test_other_names_stand_for_nothing(module, name):
    content = f"\x80\x02c{module}\n{name}\n)R.".encode("latin-1")
    error = refused(archive(content), f"Unsupported global: GLOBAL {module}.{name} was not")
    assert isinstance(error, pickle.UnpicklingError)


@pytest.mark.parametrize(
    "opcode",
    [
        b"(ios\nsystem\n.", b"(ctorch\nSize\no.", b"ctorch\nSize\n)\x81.", b"\x82\x01.",
        b"Psecret\n.", b"N0N.", b"N2.", b"F1.5\n.", b"I1\n.", b"S'text'\n.", b"\x97.",
    ],
)  # fmt: skip
def test_other_opcodes_are_refused(opcode):
    refused(archive(b"\x80\x02" + opcode), "it uses the opcode")


NAMED = {
    "calls a text": b"X\x01\x00\x00\x00a)R.",
    "calls without a tuple": b"ccollections\nOrderedDict\nNR.",
    "calls what a call returned": b"ccollections\nOrderedDict\n)R)R.",
    "calls the class of tensors": b"ctorch\nTensor\n)R.",
    "calls a dtype": b"ctorch\nfloat32\n)R.",
    "state of a tuple": b")}b.",
    "state of a dict": b"}}b.",
    "state of a class": b"ccollections\nOrderedDict\n}b.",
    "state without names": b"ccollections\nOrderedDict\n)R}K\x01K\x01sb.",
    "Python's attributes": b"ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00__class__Nsb.",
    "a method's name": b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsNsb.",
    "no memory": b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89NtR.",
    "no parameter": b"ctorch._utils\n_rebuild_parameter\n(N\x88NtR.",
    "another class": b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nSize\nNNNtR.",
    "a large bytearray": b"cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "another codec": b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "an odd size": b"ctorch\nSize\nX\x01\x00\x00\x00a\x85R.",
    "an odd layout": b"ctorch.serialization\n_get_layout\nX\x01\x00\x00\x00a\x85R.",
    "an odd device": b"ctorch\ndevice\nX\x01\x00\x00\x00a\x85R.",
    "an odd count": b"ccollections\nCounter\n]\x85R.",
    "an odd identifier": b"K\x01Q.",
    "a short identifier": b"X\x07\x00\x00\x00storage\x85Q.",
    "a key that is a list": b"}]Ns.",
    "a value without a key": b"}(Nu.",
    "items of a list": b"]NNs.",
    "append to a tuple": b")Na.",
    "nothing": b".",
    "two things": b"NN.",
    "an empty stack": b"\x85.",
    "an unknown number": b"h\x07.",
    "a memo of 2**31 entries": b"Nr\xff\xff\xff\x7f.",
    "a text of 2**31 letters": b"X\xff\xff\xff\x7fa.",
    "a frame of 2**62 bytes": b"\x95" + struct.pack("<Q", 2**62) + b"N.",
    "100,000 marks": b"(" * 100_000 + b".",
    "a nested key": b"}" + b")" + b"\x85" * 5_000 + b"Ns.",
    "a key that doubles": b"})" + b"q\x00h\x00\x86" * 50 + b"Ns.",
    "a set of such": b"cbuiltins\nset\n](" + b")" + b"q\x00h\x00\x86" * 50 + b"e\x85R.",
}


@pytest.mark.parametrize("content", NAMED.values(), ids=NAMED)
def test_only_what_fits_is_put_together(content):
    assert isinstance(
        refused(archive(b"\x80\x02" + content)), pickle.UnpicklingError | RuntimeError
    )


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ({"count": 5}, "announces 5 numbers of float32 in record data/0, which has 16 bytes"),
        ({"count": 2**31 - 1}, "announces 2147483647 numbers"),
        ({"count": -1}, "the memory of -1 numbers"),
        ({"key": b"7"}, r"failed reading file data/7: file not found"),
        ({"key": b"../../../etc/passwd"}, "file not found"),
        ({"key": b"/etc/passwd"}, "file not found"),
        ({"place": b"cuda:0"}, "Attempting to deserialize object on a CUDA device"),
        ({"place": b"moon"}, "Expected one of cpu, cuda"),
        ({"offset": 1}, "reaches beyond its memory"),
        ({"offset": -1}, "numbers from 0 on"),
        ({"size": b"K\x05\x85"}, "reaches beyond its memory"),
        ({"size": b"J\xff\xff\xff\xff\x85"}, "numbers from 0 on"),
        ({"size": b"K\x02K\x02\x86"}, "mismatch in length"),
        ({"stride": b"K\x02\x85"}, "reaches beyond its memory"),
        ({"stride": b"J\xff\xff\xff\xff\x85"}, "Negative strides"),
        ({"size": b"(" + b"K\x01" * 99 + b"t", "stride": b"(" + b"K\x01" * 99 + b"t"}, "damaged"),
        ({"size": b"\x8a\x09" + b"\xff" * 8 + b"\x00\x85", "stride": b"K\x00\x85"}, "damaged"),
        ({"size": b"N"}, "damaged"),
        (
            {"storage": b"ctorch\nComplexFloatStorage\n"},
            "tensor of complex64, which tinygrad_mnist",
        ),
        ({"storage": b"ctorch\nBFloat16Storage\n"}, "announces 4 numbers of bfloat16"),
        ({"storage": b"ctorch\nUntypedStorage\n"}, "GLOBAL torch.UntypedStorage was not"),
        ({"storage": b"ctorch\nfloat32\n"}, "something else than a tensor's memory"),
    ],
)
def test_a_tensor_stays_within_its_memory(tensor, message):
    refused(archive(tensor_pickle(**tensor), **{"data/0": FOUR}), message)


def test_memory_of_two_types_is_refused():
    one, other = tensor_pickle()[2:-1], tensor_pickle(storage=b"ctorch\nIntStorage\n")[2:-1]
    refused(archive(b"\x80\x02" + one + other + b"\x86.", **{"data/0": FOUR}), "of two types")


def test_the_other_byte_order_is_refused():
    refused(archive(tensor_pickle(), byteorder="big", **{"data/0": FOUR}), "big-endian")
    refused(archive(tensor_pickle(), byteorder="odd"), "Unknown endianness type: odd")


def test_a_file_without_a_byte_order_is_little_endian():
    file = io.BytesIO()
    torch.save(torch.ones(2), file, _disable_byteorder_record=True)
    assert load(file.getvalue()).tolist() == [1, 1]


def old_file(content):
    """A file in the format from before PyTorch 1.6."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_files_from_before_1_6():
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    shared = torch.arange(10.0)
    kept = {"weights": model.state_dict(), "part": shared[2:5], "whole": shared, "n": [3, None],
            "narrow": torch.ones(2, dtype=torch.bfloat16), "empty": torch.zeros(0, 2)}  # fmt: skip
    content = old_file(kept)
    found = load(content)
    for key, each in kept["weights"].items():
        assert found["weights"][key].tolist() == each.tolist()
    for key in ("part", "whole", "narrow", "empty", "n"):
        assert str(found[key]) == str(kept[key])
    found["whole"][3] = 99
    assert found["part"].tolist() == [2, 99, 4]
    for length in (*range(25, len(content), 61), len(content) - 1):
        refused(content[:length], "is damaged|Weights only load failed")
    refused(old_file(torch.nn.Linear(2, 1)), "Weights only load failed")
    big = content.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")
    assert big != content
    refused(big, "big-endian")


def test_whole_models_are_named():
    file = io.BytesIO()
    torch.save(torch.nn.Linear(2, 1), file)
    refused(file.getvalue(), r"GLOBAL torch\.nn\.modules\.linear\.Linear was not")


def test_torchscript_is_named():
    refused(archive(b"\x80\x02N.", **{"constants.pkl": b""}), "TorchScript archives")


def test_a_newer_version_is_named():
    refused(archive(b"\x80\x02N.", version="11\n"), "version '11'")


ARCHIVES = {
    "compressed": archive(b"\x80\x02N.", compression=zipfile.ZIP_DEFLATED),
    "a bomb": archive(b"\x80\x02" + b"N" * 10_000_000, compression=zipfile.ZIP_DEFLATED),
    "no pickle": archive(b"\x80\x02N.").replace(b"data.pkl", b"date.pkl"),
    "an empty archive": b"PK\x05\x06" + bytes(18),
    "a path outwards": archive(b"\x80\x02N.", folder="../../outside").replace(b"/data", b"/date"),
    "only a beginning": b"PK\x03\x04",
    "not an archive": b"hello world",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_other_archives_are_refused(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(content)
    assert list(tmp_path.iterdir()) == []


def test_two_records_of_one_name_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("a/data.pkl", b"\x80\x02N.")
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("a/data.pkl", b"\x80\x02N.")
    refused(file.getvalue(), "two records have one name")


def test_records_that_overlap_are_refused():
    """Many entries of the directory for one stretch of the file, as in a bomb of entries."""
    name, content = b"a/data/0", bytes(1_000)
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 0, zlib.crc32(content),
                        len(content), len(content), len(name), 0)  # fmt: skip
    body = local + name + content
    directory = b""
    for number in range(50):
        other = b"a/data/%d" % number
        directory += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0,
                                 zlib.crc32(content), len(content), len(content), len(other),
                                 0, 0, 0, 0, 0, 0) + other  # fmt: skip
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 50, 50, len(directory), len(body), 0)
    refused(body + directory + end, "announce more than the file holds")


def saved():
    file = io.BytesIO()
    tinygrad_mnist.save({"weight": tinygrad_mnist.arange(40.0), "step": [1, (2, None)]}, file)
    return file.getvalue()


VALID = saved()


@given(st.integers(0, len(VALID) - 1))
def test_a_cut_off_file_is_refused(length):
    error = refused(VALID[:length])
    assert isinstance(error, RuntimeError | pickle.UnpicklingError | EOFError)


@given(st.data())
def test_a_damaged_file_is_refused_or_still_one(data):
    content = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(VALID) - 1))] = data.draw(st.integers(0, 255))
    try:
        load(bytes(content))
    except REFUSALS:
        return


@given(st.integers(0, 159))
def test_a_changed_number_is_noticed(position):
    start = VALID.index(struct.pack("<2f", 0, 1))
    content = bytearray(VALID)
    content[start + position] ^= 1
    refused(bytes(content), "Bad CRC-32")


@given(st.data())
def test_a_damaged_pickle_in_a_sound_archive_is_refused_or_still_one(data):
    with zipfile.ZipFile(io.BytesIO(VALID)) as opened:
        content = bytearray(opened.read("archive/data.pkl"))
        memory = opened.read("archive/data/0")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        load(archive(bytes(content), **{"data/0": memory}))
    except REFUSALS:
        return
