"""Sequences of different lengths: padded to one tensor, and packed step by step.

PyTorch's names. A packed sequence holds first what every sequence has at its first step, the
longest sequence first, then what those of two steps or more have at their second, and so on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from tinygrad_mnist._tensor.creation import arange, as_tensor, empty_like, full, tensor
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops.indexing import WHOLE, index_put
from tinygrad_mnist.ops.sorting import sort

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence",
    "pad_packed_sequence", "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Parts(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


_BY_HAND = (
    "batch_sizes should always be on CPU. Instances of PackedSequence should never be created "
    "manually. They should be instantiated by functions like pack_sequence and "
    "pack_padded_sequences in nn.utils.rnn. "
    "https://pytorch.org/docs/stable/nn.html#torch.nn.utils.rnn.pack_sequence"
)


_TYPES = ("byte", "char", "double", "float", "half", "int", "long", "short")


class PackedSequence(_Parts):
    """Sequences, packed: `data`, and in `batch_sizes` how many sequences have each step.

    `sorted_indices` says which of the sequences given each packed one is, `unsorted_indices` the
    other way; None where they came sorted by length. `pack_sequence` and `pack_padded_sequence`
    make one.
    """

    def __new__(
        cls, data: Tensor, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:  # fmt: skip
        """Of data and batch sizes; or both as one tuple."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            given: Any = data
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = given
        elif batch_sizes.device.type != "cpu":
            raise ValueError(_BY_HAND)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> Self:
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With `data` of another type, as `Tensor.to`; itself where nothing changes."""
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        """Itself, unless other settings of `to` change it."""
        return self.to(*args, **{"device": "cpu", **kwargs})

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """Refused: there is no GPU."""
        return self._with(self.data.cuda(*args, **kwargs))

    def pin_memory(self) -> Self:
        """With `data.pin_memory()`."""
        return self._with(self.data.pin_memory())

    def __getattr__(self, name: str) -> Any:
        """`double()` and the like: with `data` of that type."""
        if name in _TYPES:
            return lambda: self._with(getattr(self.data, name)())
        raise AttributeError(f"'PackedSequence' object has no attribute '{name}'")

    @property
    def is_cuda(self) -> bool:
        """Whether `data` is on a GPU: never."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether `data` is in pinned memory."""
        return self.data.is_pinned()


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another; None of None.

    >>> torch.nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    order = arange(0, permutation.numel())
    return empty_like(permutation).scatter_(0, permutation, order)


def _places(batch_sizes: Sequence[int]) -> tuple[Any, Any]:
    """Of each packed row: its step, and the sequence it belongs to."""
    steps = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    sequences = np.concatenate([np.arange(size) for size in batch_sizes])
    return note_constant(steps), note_constant(sequences)


def _check_lengths(lengths: list[int], batch: int) -> None:
    """PyTorch's RuntimeErrors for lengths that do not fit the input, or are not sorted."""
    if len(lengths) != batch:
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{len(lengths)} (batch_size={batch})"
        )
    if min(lengths, default=0) <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element "
                           "in 'lengths' that is <= 0")  # fmt: skip
    if any(a < b for a, b in itertools.pairwise(lengths)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:  # fmt: skip
    """Sequences (steps, batch, …) of these lengths, packed; (batch, steps, …) if `batch_first`.

    They must come sorted, the longest first, unless `enforce_sorted` is False. Raises RuntimeError
    for lengths that do not fit.

    >>> rnn = torch.nn.utils.rnn
    >>> rnn.pack_padded_sequence(torch.tensor([[1, 2], [3, 0]]), [2, 1])
    PackedSequence(data=tensor([1, 2, 3]), batch_sizes=tensor([2, 1]), \
sorted_indices=None, unsorted_indices=None)
    """
    sizes = as_tensor(lengths).long()
    order = None
    if not enforce_sorted:
        sizes, order = sort(sizes, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    whole = input.transpose(0, 1) if batch_first else input
    if whole.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    counts: list[int] = sizes.tolist()
    _check_lengths(counts, whole.size(1))
    steps = np.arange(counts[0])[:, None]
    if counts[0] > whole.size(0):
        raise RuntimeError(
            f"Expected lengths of at most {whole.size(0)}, the number of steps of the input, but "
            f"got {counts[0]}"
        )
    batch_sizes = (np.asarray(counts)[None, :] > steps).sum(1)
    data = whole[tuple([wrap(place) for place in _places(batch_sizes.tolist())])]
    named_as(data, "PackPaddedSequenceBackward0")
    return PackedSequence(data, tensor(batch_sizes.tolist()), order, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Packed sequences as (steps, batch, …) with padding after them, and their lengths.

    `total_length` steps, if given; (batch, steps, …) if `batch_first`; in the order in which they
    were packed. Raises ValueError for a `total_length` that is too small.

    >>> rnn = torch.nn.utils.rnn
    >>> rnn.pad_packed_sequence(rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]))
    (tensor([[1, 3],
            [2, 0]]), tensor([2, 1]))
    """
    sizes: list[int] = sequence.batch_sizes.tolist()
    longest = len(sizes) if total_length is None else total_length
    if longest < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {len(sizes)}"
        )
    data = sequence.data
    shape = longest, sizes[0], *data.shape[1:]
    empty = full(shape, padding_value, dtype=data.dtype)
    padded = index_put(empty, data, region=WHOLE, arrays=_places(sizes))
    named_as(padded, "PadPackedSequenceBackward0")
    lengths = tensor([sum(size > k for size in sizes) for k in range(sizes[0])])
    padded = padded.transpose(0, 1) if batch_first else padded
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order]


def pad_sequence(
    sequences: Tensor | Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Sequences (steps, …) side by side: (longest, batch, …), or (batch, longest, …).

    What is missing, on the right or the left, is `padding_value`.

    >>> pad = torch.nn.utils.rnn.pad_sequence
    >>> pad([torch.tensor([1, 2]), torch.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    given = tuple(sequences)
    if not given:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    longest = max(each.size(0) for each in given)
    shape = len(given), longest, *given[0].shape[1:]
    padded = full(shape, padding_value, dtype=given[0].dtype)
    for n, each in enumerate(given):
        start = longest - each.size(0) if padding_side == "left" else 0
        padded[n, start : start + each.size(0)] = each
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences that `pad_sequence` padded on the right.

    >>> torch.nn.utils.rnn.unpad_sequence(torch.tensor([[1, 3], [2, 0]]), torch.tensor([2, 1]))
    [tensor([1, 2]), tensor([3])]
    """
    whole = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(whole, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (steps, …), packed: `pack_padded_sequence` of what `pad_sequence` gives.

    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = [each.size(0) for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed, in their order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
