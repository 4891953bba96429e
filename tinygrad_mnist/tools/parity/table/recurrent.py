"""Recurrent layers as functions of their weights, and sequences of different lengths."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, parametrized, sample

from .operation import Operation

_GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def _finite(make: Maker) -> Maker:
    """PyTorch goes back through no sequence at all in some layers alone."""
    return make.ordinary_in("special", "empty", "scalar")


_WRONG = np.ones((2, 1, 2)), [np.ones((1, 2, 3))] * 2, [np.ones((3, 2)), np.ones((3, 3))], None
"""States of another batch than the input."""


@parametrized
def _sequences(make: Maker, kind: str) -> Sample:
    """An input, first states, and weights; the settings of a layer; perhaps lengths."""
    maker, dtype = _finite(make), make.floating()
    steps, batch, inner, width = (make.integer(1, 3) for _ in range(4))
    states = [maker.array((1, batch, width), dtype=dtype) for _ in range(1 + (kind == "LSTM"))]
    rows = _GATES[kind] * width
    shapes = [(rows, inner), (rows, width), *[(rows,)] * (2 * make.flag())]
    weights = [maker.array(shape, dtype=dtype) for shape in shapes]
    lengths = [make.integer(1, steps) for _ in range(batch)] if make.flag() else None
    settings = {"nonlinearity": make.choice("tanh", "relu")} if kind == "RNN" else {}
    x = maker.array((steps, batch, inner), dtype=dtype)
    return make.sample(x, states, weights, lengths, **settings)


def _layer(
    kind: str, t: Any, x: Any, states: Any, weights: Any, lengths: Any, **settings: Any
) -> Any:
    """A layer of these weights, on sequences packed where there are lengths."""
    bias = len(weights) > 2
    layer = getattr(t.nn, kind)(x.shape[2], states[0].shape[2], bias=bias, **settings)
    for name, weight in zip([name for name, _ in layer.named_parameters()], weights, strict=True):
        delattr(layer, name)
        setattr(layer, name, weight)
    if lengths is not None:
        x = t.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    out, last = layer(x, tuple(states) if kind == "LSTM" else states[0])
    return out if lengths is None else t.nn.utils.rnn.pad_packed_sequence(out), last


def _ragged(make: Maker) -> Sample:
    maker = _finite(make)
    rows = [maker.array((make.integer(1, 4), 2)) for _ in range(make.integer(1, 4))]
    return make.sample(rows, make.flag(), make.choice(0.0, -1.5), make.choice("left", "right"))


def _packed(t: Any, rows: Any) -> Any:
    """Packed sequences as they are, and each by itself again."""
    packed = t.nn.utils.rnn.pack_sequence(rows, enforce_sorted=False)
    return tuple(packed), tuple(t.nn.utils.rnn.unpack_sequence(packed))


OPERATIONS = [
    *[Operation(f"nn.{kind}", _sequences(kind), partial(_layer, kind), ulp=64, gradient_ulp=512,
                scale="sight", primitives="recurrent recurrent_backward",
                errors=(sample(*_WRONG), sample(np.ones((2, 1, 3, 1)), *_WRONG[1:])))
      for kind in _GATES],
    Operation("nn.utils.rnn.pad_sequence", _ragged, primitives="",
              errors=(sample(1), sample([np.ones(2)], padding_side="up"))),
    Operation("nn.utils.rnn.pack_sequence",
              lambda make: Sample(_ragged(make).arguments[:1], {}, make.seed()), _packed,
              primitives=""),
]  # fmt: skip
