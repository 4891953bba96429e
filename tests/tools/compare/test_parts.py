"""The parts of a comparison: differences, texts, operations, messages, names of leaves."""

import io
import json
import math
import sys
import types

import numpy as np
import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tinygrad_mnist.tools.compare.differences import (
    Bounds,
    Difference,
    Operation,
    OperationsCompared,
    Series,
    compare_texts,
    difference,
)
from tinygrad_mnist.tools.compare.engines import engine_called
from tinygrad_mnist.tools.compare.recorder import LeafNames, Message, receive, send
from tinygrad_mnist.tools.compare.report import ENGINES

ONE = np.float32(1)
NEXT = np.nextafter(ONE, np.float32(2))


def array(*numbers, dtype=np.float32):
    return np.array(numbers, dtype)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (array(1, 2), array(1, 2), (0, 0)),
        (array(ONE), array(NEXT), (2**-23, 1)),
        (array(ONE, 8), array(NEXT, 8), (2**-23, 1 / 8)),
        (array(1, dtype=np.float64), array(NEXT, dtype=np.float64), (2**-23, 2**29)),
        (array(np.nan, np.inf), array(np.nan, np.inf), (0, 0)),
        (array(np.nan), array(1), (math.inf, math.inf)),
        (array(np.inf), array(-np.inf), (math.inf, math.inf)),
        (array(1), array(1, 1), (math.inf, math.inf)),
        (array(1, dtype=np.int64), array(2, dtype=np.int64), (math.inf, math.inf)),
        (array(1, dtype=np.int64), array(1, dtype=np.int64), (0, 0)),
        (array(), array(), (0, 0)),
        (np.array(ONE), np.array(NEXT), (2**-23, 1)),
    ],
)
def test_difference(a, b, expected):
    assert difference(a, b) == expected


def test_a_series_counts_in_ulp_of_its_largest_number_so_far():
    series = Series(Bounds(ulp=10, absolute=0))
    series.add(1, array(64), array(64))
    series.add(2, array(ONE), array(NEXT))
    assert series.worst == (2, Difference(2**-23, 1 / 64))
    series.add(3, array(1), array(1.001))
    assert series.first_beyond[0] == 3
    assert not series.forked
    series.add(4, array(1), array(1.01))
    assert series.first_beyond[0] == 3
    assert series.forked


def test_bounds_hold_by_either():
    bounds = Bounds(ulp=10, absolute=1e-6)
    assert bounds.hold(Difference(1, 10))
    assert bounds.hold(Difference(1e-6, 1e9))
    assert not bounds.hold(Difference(1e-5, 11))
    assert not bounds.hold(Difference(math.inf, math.inf))


@pytest.mark.parametrize(
    ("theirs", "ours", "rounded", "different"),
    [
        ("same\n1.5\n", "same\n1.5\n", (), ()),
        ("loss 0.3120", "loss 0.3121", (1,), ()),
        ("loss 0.3120", "loss 0.3122", (), (1,)),
        ("1.5e-07 ok", "1.6e-07 ok", (1,), ()),
        ("12 of 30", "13 of 30", (), (1,)),
        ("tensor([1.0000, -2.5000])", "tensor([1.0001, -2.5000])", (1,), ()),
        ("a 1.0", "b 1.0", (), (1,)),
        ("<X at 0x7f00>", "<X at 0x12ab>", (), ()),
        ("<class 'torch.nn.modules.linear.Linear'>", "<class 'tinygrad_mnist.nn.Linear'>", (), ()),
        ("<class 'torch.nn.Linear'>", "<class 'tinygrad_mnist.nn.ReLU'>", (), (1,)),
        ("one\n", "one\ntwo\n", (), (2,)),
        ("1.0", "1.00", (1,), ()),
        ("0.31203252077102", "0.31203249096870", (1,), ()),
        ("0.31203252077102", "0.31253249096870", (), (1,)),
        ("1e-30 5e-07", "2e-33 1e-07", (1,), ()),
    ],
)
def test_texts(theirs, ours, rounded, different):
    texts = compare_texts(theirs, ours)
    assert (texts.rounded, texts.different) == (rounded, different)
    assert texts.equal == (not different)
    assert (texts.first is None) == (not rounded and not different)


@pytest.mark.parametrize(
    ("theirs", "ours", "measured"),
    [
        ("step 0 | loss 3.2840 | step time 533.29ms", "step 0 | loss 3.2841 | step time 9.1ms", 1),
        ("Training time: 0m 6s", "Training time: 0m 25s", 1),
        ("iter 0: loss 4.1317, time 978.11ms, mfu -100.00%",
         "iter 0: loss 4.1317, time 15997.78ms, mfu 0.02%", 1),
        ("| ms/batch 12.33 | loss 5.0", "| ms/batch 3.10 | loss 5.0", 1),
        ("took 1.5 seconds, 30 samples/sec", "took 2 seconds, 3.5 samples/sec", 1),
        ("2026-11-30 10:11:12 used 12.5 MB", "2026-12-01 00:00:01 used 9 MB", 1),
        ("2.13.0+cpu", "2.13.0+tinygrad_mnist", 1),
        ("time 3.1s", "time 3.1s", 0),
    ],
)  # fmt: skip
def test_what_is_measured_does_not_count(theirs, ours, measured):
    texts = compare_texts(theirs, ours)
    assert texts.equal
    assert len(texts.measured) == measured
    assert not texts.rounded


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("loss 3.28 | 5ms", "loss 3.48 | 7ms"),
        ("5 steps", "6 steps"),
        ("version 2.13.0", "version 2.15.0"),
        ("time 3s", "3s"),
        ("times 3.0", "times 4.0"),
    ],
)
def test_beside_times_everything_counts(theirs, ours):
    assert compare_texts(theirs, ours).different == (1,)


def test_a_printed_loss_is_as_equal_as_the_loss():
    lines = "loss 2.0036070346832275", "loss 2.003356456756592"
    assert compare_texts(*lines).different == (1,)
    losses = [(1.0, 1.0), (2.0036070346832275, 2.003356456756592)]
    assert compare_texts(*lines, losses=losses).rounded == (1,)
    assert compare_texts("a 2.0036", "a 2.0034", losses=losses).rounded == (1,)
    assert compare_texts("a 2.0036", "a 2.0030", losses=losses).different == (1,)


ROW = "[0.1111, 0.2222, 0.3333, 0.4444, 0.5555, 0.6666"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("tensor([1.0000], device='cuda:0')", "tensor([1.0001])"),
        (
            "tensor(1., device='cuda:0', grad_fn=<AddBackward0>)",
            "tensor(1., grad_fn=<AddBackward0>)",
        ),
        (
            f"tensor({ROW}], device='cuda:0',\n       grad_fn=<MulBackward0>)",
            f"tensor({ROW}], grad_fn=<MulBackward0>)",
        ),
        (f"tensor({ROW}, 0.7777],\n       device='cuda:0')\n", f"tensor({ROW}, 0.7777])\n"),
        ("Using cuda device", "Using cpu device"),
        ("cuda:0 device(type='cuda', index=0)", "cpu device(type='cpu')"),
        ("device(type='cuda')", "device(type='cpu')"),
    ],
)
def test_texts_of_a_gpu(theirs, ours):
    assert compare_texts(theirs, ours, gpu=True).equal
    assert not compare_texts(theirs, ours).equal
    assert not compare_texts(theirs, ours.replace("e", "a", 1), gpu=True).equal


def operation(name, *values, place="here", number=0):
    return Operation(name, (len(values),), place, array(*values), number)


def test_operations_are_aligned_by_name_and_shape():
    compared = OperationsCompared(Bounds())
    theirs = [
        operation("addmm", 1, 2),
        operation("_log_softmax", 3, 4),
        operation("detach", 3, 4),
        operation("nll_loss_forward", 5),
    ]
    ours = [
        operation("sub", 9, 9),
        operation("AddmmBackward0", 1, 2),
        operation("LogSoftmaxBackward0", 3, 4),
        operation("NllLossBackward0", 6, place="there"),
    ]
    compared.add(1, theirs, ours)
    assert compared.compared == 3
    assert compared.first.name == "nll_loss_forward"
    assert compared.first.difference.absolute == 1


def test_an_operation_that_the_other_engine_does_elsewhere_does_not_differ():
    compared = OperationsCompared(Bounds())
    compared.add(1, [operation("add", 1)], [operation("add", 7), operation("add", 1)])
    assert compared.first is None


def test_the_first_of_several_that_differ():
    names = ("exp", "log", "exp")
    theirs = [operation(name, 1, number=i, place=f"line {i}") for i, name in enumerate(names)]
    ours = [operation("exp", 1), operation("log", 2), operation("exp", 2)]
    compared = OperationsCompared(Bounds())
    compared.add(4, theirs, ours)
    assert (compared.first.place, compared.first.step, compared.compared) == ("line 1", 4, 3)


def test_messages_carry_words_and_numbers():
    stream = io.BytesIO()
    arrays = [array(1, 2).reshape(1, 2), np.array(True), array(dtype=np.int64), array(1.5)[()]]
    send(stream, Message({"kind": "end", "text": "a\nb"}, [np.asarray(a) for a in arrays]))
    stream.seek(0)
    message = receive(stream)
    assert message.words == {"kind": "end", "text": "a\nb"}
    for sent, received in zip(arrays, message.arrays, strict=True):
        np.testing.assert_array_equal(sent, received, strict=True)
    assert receive(stream) is None


def test_messages_that_are_cut_short_or_hold_objects():
    stream = io.BytesIO()
    send(stream, Message({}, [array(1, 2)]))
    assert receive(io.BytesIO(stream.getvalue()[:-1])) is None
    assert receive(io.BytesIO(stream.getvalue()[:5])) is None
    with pytest.raises(ValueError, match="no array of numbers"):
        receive(io.BytesIO(json.dumps([{}, [["|O", [1]]]]).encode() + b"\n" + bytes(8)))


def test_leaves_are_called_as_the_script_calls_them():
    names = LeafNames(lambda value: isinstance(value, torch.Tensor))
    model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    weights = [torch.ones(1, requires_grad=True), torch.ones(2, requires_grad=True)]
    more = (torch.ones(3, requires_grad=True) for _ in range(2))
    leaves = [*model.parameters(), weights[1], *more]
    found = names(leaves, [sys._getframe()])
    assert list(found)[:3] == ["model.0.weight", "model.0.bias", "weights[1]"]
    # The last two are reached through the list itself.
    assert list(found)[3:] == ["leaves[3]", "leaves[4]"]
    assert list(names([weights[1]], [])) == ["weights[1]"]


def test_leaves_that_no_variable_leads_to():
    names = LeafNames(lambda value: isinstance(value, torch.Tensor))
    first, second = (torch.ones(3, requires_grad=True) for _ in range(2))
    assert list(names([first, second], [])) == ["a leaf (3,)", "a leaf (3,) (2)"]
    assert list(names([second], [])) == ["a leaf (3,)"]


@pytest.mark.parametrize("name", ENGINES)
def test_leaves_that_the_graph_alone_holds_are_left_out(name, monkeypatch):
    monkeypatch.setattr(pytorch.backends, "cudnn", types.SimpleNamespace())  # may be frozen
    engine = engine_called(name)
    kept, gone = (engine.module.ones(2, requires_grad=True) for _ in range(2))
    box = [engine.module.ones(2, requires_grad=True)]
    root = (kept * gone * box[0] * engine.module.nn.Linear(2, 2)(kept)).sum()
    del gone
    assert {id(leaf) for leaf in engine.leaves([root])} == {id(kept), id(box[0])}
