"""Recurrent layers: RNN, LSTM and GRU along whole sequences, and their cells for one step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist._tensor.creation import empty, zeros
from tinygrad_mnist.engine.autocast import AUTOCAST, lowered
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.parameter import Parameter
from tinygrad_mnist.nn.utils.rnn import PackedSequence
from tinygrad_mnist.ops.joining import cat, stack
from tinygrad_mnist.ops.recurrent import MODES, gates_of, recurrent

from .module import Module

States = tuple[Tensor, ...]
"""The states of a layer, (layers · directions, batch, width); of an LSTM the cells, too."""


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def _walk(
    x: Tensor, states: States, weights: Sequence[Tensor | None], offsets: Any, mode: int,
    reverse: bool = False,
) -> tuple[Tensor, States]:  # fmt: skip
    """One layer in one direction: each row's result, and the last states."""
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = weights
    assert weight_ih is not None
    assert weight_hh is not None
    none = wrap(note_constant(np.zeros(1, x._array.dtype)))
    if bias_ih is None or bias_hh is None or MODES[mode] == "GRU":
        pre, bias = F.linear(x, weight_ih, bias_ih), none if bias_hh is None else bias_hh
    else:
        pre, bias = F.linear(x, weight_ih), bias_ih + bias_hh
    h, c = states[0], states[1] if len(states) == 2 else None
    result, *last = recurrent(pre, h, c, weight_hh, bias, offsets, mode, reverse, weight_hr)
    return result, tuple([state for state in last if state is not None])


def _draw(module: Module, width: int) -> None:
    """Draw all parameters anew, uniform between ±1/√width."""
    bound = 1.0 / math.sqrt(width) if width > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _check_settings(given: dict[str, Any]) -> None:
    """PyTorch's errors and warning for settings of a layer."""
    dropout, num_layers, proj_size = (given[n] for n in ("dropout", "num_layers", "proj_size"))
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element "
            "being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
            stacklevel=5,
        )
    for name in ("bias", "batch_first", "input_size", "hidden_size"):
        kind: type = int if name.endswith("size") else bool
        if not isinstance(given[name], kind):
            raise TypeError(
                f"{name} should be of type {kind.__name__}, got: {type(given[name]).__name__}"
            )
    for name in ("input_size", "hidden_size", "num_layers"):
        if given[name] <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= given["hidden_size"]:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNNBase(Module):
    """What RNN, LSTM and GRU have in common: the parameters of each layer and direction."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
        bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, proj_size: int = 0, device: Device = None,
        dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        _check_settings({**locals()})
        if mode not in MODES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._directions]:
                self._add_layer(layer, suffix, device, dtype)
        self.reset_parameters()

    def _add_layer(self, layer: int, suffix: str, device: Device, dtype: DType) -> None:
        """Register the parameters of one layer in one direction."""
        gates = gates_of(MODES.index(self.mode)) * self.hidden_size
        below = self.input_size if layer == 0 else self._width * self._directions
        shapes: dict[str, Any] = {"weight_ih": (gates, below), "weight_hh": (gates, self._width)}
        if self.bias:
            shapes |= {"bias_ih": gates, "bias_hh": gates}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = [f"{name}_l{layer}{suffix}" for name in shapes]
        for name, shape in zip(names, shapes.values(), strict=True):
            setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
        self._all_weights.append(names)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _width(self) -> int:
        """How wide a state is."""
        return self.proj_size or self.hidden_size

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def __getstate__(self) -> dict[str, Any]:
        """What is kept: with the lists that PyTorch's layers have."""
        lists = {name: getattr(self, name) for name in ("_flat_weights_names", "_flat_weights")}
        return {**vars(self), **lists}

    def flatten_parameters(self) -> None:
        """Nothing: it is for GPUs."""

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniform between ±1/√hidden_size."""
        _draw(self, self.hidden_size)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise PyTorch's error for an input of another type or shape."""
        kind = self._flat_weights[0].dtype
        if input.dtype != kind and not AUTOCAST:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({kind}). Convert "
                f"input: input.to({kind}), or convert model: model.to({input.dtype})"
            )
        wanted = 3 if batch_sizes is None else 2
        if input.dim() != wanted:
            raise RuntimeError(f"input must have {wanted} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.size(-1)}"
            )

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of the states for an input."""
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.size(0 if self.batch_first else 1)
        return self.num_layers * self._directions, batch, self._width

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """The shape of an LSTM's cells for an input."""
        return *self.get_expected_hidden_size(input, batch_sizes)[:2], self.hidden_size

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:  # fmt: skip
        """Raise PyTorch's error for states of another shape."""
        if hx.size() != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise PyTorch's error for an input or states that do not fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Tensor | States:
        """The states in another order of the batch."""
        return hx if permutation is None else hx.index_select(1, permutation)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """The settings that are not the usual ones."""
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
                 "bidirectional": False}  # fmt: skip
        more = [f", {name}={getattr(self, name)}" for name in usual
                if getattr(self, name) != usual[name]]  # fmt: skip
        return f"{self.input_size}, {self.hidden_size}{''.join(more)}"


class _Layer(RNNBase):
    """What RNN, LSTM and GRU have in common besides: the walk along sequences."""

    def __init__(self, mode: str, *args: Any, **kwargs: Any) -> None:
        if mode != "LSTM" and "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__(mode, *args, **kwargs)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor | PackedSequence, Any]:
        """Each step's results, and the last states, of an input and the first states (or 0).

        Of a packed sequence the results are packed, too.
        """
        packed = isinstance(input, PackedSequence)
        if packed:
            data, sizes, order, back = input
            hx = hx if hx is None else self.permute_hidden(hx, order)
            batched = True
        else:
            data, sizes, back = input, None, None
            batched = self._is_batched(data, hx)
            if not batched:
                data = data.unsqueeze(0 if self.batch_first else 1)
                hx = hx if hx is None else self._of_each(hx, lambda state: state.unsqueeze(1))
        if hx is None:
            hx = self._first(data, sizes)
        self.check_forward_args(data, hx, sizes)
        result, last = self._run(data, self._as_states(hx), sizes)
        hidden = last if self.mode == "LSTM" else last[0]
        if packed:
            return PackedSequence(result, sizes, order, back), self.permute_hidden(hidden, back)
        if not batched:
            result = result.squeeze(0 if self.batch_first else 1)
            hidden = self._of_each(hidden, lambda state: state.squeeze(1))
        return result, hidden

    def _as_states(self, hx: Any) -> States:
        return tuple(hx) if self.mode == "LSTM" else (hx,)

    def _of_each(self, hx: Any, change: Any) -> Any:
        states = tuple([change(state) for state in self._as_states(hx)])
        return states if self.mode == "LSTM" else states[0]

    def _is_batched(self, input: Tensor, hx: Any) -> bool:
        """Whether the input has a batch; PyTorch's errors for inputs that are neither."""
        dims = input.dim()
        if dims not in (2, 3):
            name = self.mode.partition("_")[0]
            raise ValueError(
                f"{name}: Expected input to be 2D or 3D, got {dims}D"
                f"{' tensor' * (name == 'RNN')} instead"
            )
        batched = "batched" if dims == 3 else "unbatched"
        found = [] if hx is None else [state.dim() for state in self._as_states(hx)]
        if self.mode == "LSTM" and any(each != dims for each in found):
            raise RuntimeError(
                f"For {batched} {dims}-D input, hx and cx should also be {dims}-D but got "
                f"({found[0]}-D, {found[1]}-D) tensors"
            )
        if found and found[0] != dims:
            raise RuntimeError(
                f"For {batched} {dims}-D input, hx should also be {dims}-D but got "
                f"{found[0]}-D tensor"
            )
        return dims == 3

    def _first(self, data: Tensor, sizes: Tensor | None) -> Any:
        """States of 0."""
        shape = self.get_expected_hidden_size(data, sizes)
        h = zeros(*shape, dtype=data.dtype)
        if self.mode != "LSTM":
            return h
        return h, zeros(*shape[:2], self.hidden_size, dtype=data.dtype)

    def _run(self, data: Tensor, states: States, sizes: Tensor | None) -> tuple[Tensor, States]:
        """All layers, one after the other."""
        x = data
        if sizes is None:
            x = data.transpose(0, 1) if self.batch_first else data
            steps, batch = x.shape[:2]
            if steps == 0:
                raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
            x = x.reshape(steps * batch, data.shape[2])
            offsets = np.arange(steps + 1) * batch
        else:
            offsets = np.concatenate([[0], np.cumsum(sizes.tolist())])
        note_constant(offsets)
        last: list[States] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                x = F.dropout(x, self.dropout)
            results = []
            for direction in range(self._directions):
                own = tuple([state[len(last)] for state in states])
                weights = self._weights_of(len(last))
                mode = MODES.index(self.mode)
                if AUTOCAST and (sizes is None or self.mode != "LSTM") and self.mode != "GRU":
                    (x, *weights), own = lowered(x, *weights), lowered(*own)
                result, ends = _walk(x, own, weights, offsets, mode, direction == 1)
                results.append(result)
                last.append(ends)
            x = results[0] if len(results) == 1 else cat(results, -1)
        if sizes is None:
            x = x.reshape(steps, batch, x.shape[1])
            x = x.transpose(0, 1) if self.batch_first else x
        return x, tuple([stack(each) for each in zip(*last, strict=True)])

    def _weights_of(self, place: int) -> list[Tensor | None]:
        """The five weights of one layer and direction; None for those it has not."""
        known = {name.partition("_l")[0]: getattr(self, name) for name in self._all_weights[place]}
        return [known.get(name) for name in _WEIGHTS]


class RNN(_Layer):
    """h = tanh(W x + b + W' h + b'), or relu, along sequences (steps, batch, input_size).

    Settings: input_size, hidden_size, num_layers, nonlinearity ("tanh" or "relu"), bias,
    batch_first, dropout (between layers), bidirectional. The result is (steps, batch, hidden_size ·
    directions), and the last states (layers · directions, batch, hidden_size).

    Elman, "Finding structure in time" (1990).

    >>> rnn = torch.nn.RNN(10, 20, num_layers=2)
    >>> output, h = rnn(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(_Layer):
    """c = f · c + i · g, h = o · tanh c, for gates i, f, o and g of x and h, along sequences.

    Settings: input_size, hidden_size, num_layers, bias, batch_first, dropout (between layers),
    bidirectional, proj_size (h is a projection to so many numbers). The result is (steps, batch,
    width · directions), and the pair of the last states and cells.

    Hochreiter and Schmidhuber, "Long short-term memory" (1997).

    >>> lstm = torch.nn.LSTM(10, 20, bidirectional=True)
    >>> output, (h, c) = lstm(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape, c.shape
    (torch.Size([5, 3, 40]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise PyTorch's error for an input, states or cells that do not fit."""
        self.check_input(input, batch_sizes)
        wanted = (self.get_expected_hidden_size(input, batch_sizes),
                  self.get_expected_cell_size(input, batch_sizes))  # fmt: skip
        for n, (state, shape) in enumerate(zip(hidden, wanted, strict=True)):
            self.check_hidden_size(state, shape, f"Expected hidden[{n}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> States:
        """The states and cells in another order of the batch."""
        return tuple([super(LSTM, self).permute_hidden(state, permutation) for state in hx])  # type: ignore[misc]


class GRU(_Layer):
    """h = (1 − z) · n + z · h, for gates r, z and n of x and h, along sequences.

    Settings and results are those of `RNN`, without a nonlinearity. n = tanh(W x + b + r · (W' h +
    b')).

    Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).

    >>> gru = torch.nn.GRU(10, 20, batch_first=True)
    >>> output, h = gru(torch.zeros(3, 5, 10))
    >>> output.shape, h.shape
    (torch.Size([3, 5, 20]), torch.Size([1, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells have in common."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        for name, shape in (("weight_ih", (rows, input_size)), ("weight_hh", (rows, hidden_size)),
                            ("bias_ih", rows), ("bias_hh", rows)):  # fmt: skip
            made = Parameter(empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, made if bias or name.startswith("w") else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniform between ±1/√hidden_size."""
        _draw(self, self.hidden_size)

    def extra_repr(self) -> str:
        """The settings that are not the usual ones."""
        more = "" if self.bias is True else f", bias={self.bias}"
        kind = vars(self).get("nonlinearity", "tanh")
        return f"{self.input_size}, {self.hidden_size}{more}" + (
            "" if kind == "tanh" else f", nonlinearity={kind}"
        )

    def _step(self, mode: str, input: Tensor, hx: Any) -> Any:
        """The next state; of an LSTM, states and cells."""
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        given = () if hx is None else tuple(hx) if mode == "LSTM" else (hx,)
        for n, state in enumerate(given):
            if state.dim() not in (1, 2):
                which = f"hx[{n}]" if mode == "LSTM" else "hidden"
                raise ValueError(
                    f"{name}: Expected {which} to be 1D or 2D, got {state.dim()}D instead"
                )
        batched = input.dim() == 2
        if not batched:
            input, given = input.unsqueeze(0), tuple([state.unsqueeze(0) for state in given])
        if hx is None:
            zero = zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            given = (zero, zero) if mode == "LSTM" else (zero,)
        self._check_sizes(input, given)
        offsets = note_constant(np.array([0, input.size(0)]))
        weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None]
        if AUTOCAST and mode.startswith("RNN"):
            (input, *weights), given = lowered(input, *weights), lowered(*given)
        _, last = _walk(input, given, weights, offsets, MODES.index(mode))
        last = last if batched else tuple([state.squeeze(0) for state in last])
        return last if mode == "LSTM" else last[0]

    def _check_sizes(self, input: Tensor, states: States) -> None:
        """PyTorch's errors for an input and states that do not fit."""
        if input.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(1)} expected {self.input_size}"
            )
        for n, state in enumerate(states):
            if state.size(0) != input.size(0):
                raise RuntimeError(
                    f"Input batch size {input.size(0)} doesn't match hidden{n} batch size "
                    f"{state.size(0)}"
                )
            if state.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{n} has inconsistent hidden_size: got {state.size(1)}, expected "
                    f"{self.hidden_size}"
                )


class RNNCell(RNNCellBase):
    """h' = tanh(W x + b + W' h + b'), or relu, for one step (batch, input_size).

    >>> torch.nn.RNNCell(10, 20)(torch.zeros(3, 10)).shape
    torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The next state, of an input and a state (or 0)."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        state: Tensor = self._step(f"RNN_{self.nonlinearity.upper()}", input, hx)
        return state


class _GatedCell(RNNCellBase):
    """What LSTMCell and GRUCell have in common."""

    _mode: str

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None,
        dtype: DType = None,
    ) -> None:  # fmt: skip
        gates = gates_of(MODES.index(self._mode))
        super().__init__(input_size, hidden_size, bias, gates, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """The next state (and cell), of an input and a state (and cell), or 0."""
        return self._step(self._mode, input, hx)


class LSTMCell(_GatedCell):
    """The step of an `LSTM`: the next state and cell, each (batch, hidden_size).

    >>> h, c = torch.nn.LSTMCell(10, 20)(torch.zeros(3, 10))
    >>> h.shape
    torch.Size([3, 20])
    """

    _mode = "LSTM"


class GRUCell(_GatedCell):
    """The step of a `GRU`: the next state (batch, hidden_size).

    >>> torch.nn.GRUCell(10, 20)(torch.zeros(3, 10)).shape
    torch.Size([3, 20])
    """

    _mode = "GRU"
