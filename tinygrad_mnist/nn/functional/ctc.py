"""Connectionist temporal classification: the likelihood of labels whose times are not known.

Graves et al., "Connectionist temporal classification" (2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist._tensor.creation import from_numpy
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.primitive import no_derivative, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_tensors, not_implemented
from tinygrad_mnist.ops.conditional import where

from .losses import read_reduction, reduced


def _lattice(log_probs: Array, targets: Array, lengths: Array, blank: int) -> Any:
    """Labels with blanks between them, what each time says of them, where a blank may be skipped.

    The last axis of all three is the place among labels and blanks.
    """
    count, longest = targets.shape
    labels = np.full((count, 2 * longest + 1), blank)
    labels[:, 1::2] = np.where(np.arange(longest) < lengths[:, None], targets, blank)
    said = np.take_along_axis(log_probs, labels[None], 2).astype(np.float64)
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = labels[:, 2:] != labels[:, :-2]
    return labels, said, skips


def _come(at: Array, skips: Array) -> Array:
    """ln of the sum of what stays, comes from the place before and, where allowed, skips one."""
    padded = np.pad(at, ((0, 0), (2, 0)), constant_values=-np.inf)
    skipped = np.where(skips, padded[:, :-2], -np.inf)
    out: Array = np.logaddexp(np.logaddexp(at, padded[:, 1:-1]), skipped)
    return out


def _forward(said: Array, skips: Array) -> Array:
    """ln of the likelihood of all ways to each place at each time."""
    alpha = np.full_like(said, -np.inf)
    alpha[0, :, :2] = said[0, :, :2]
    for t in range(1, len(said)):
        alpha[t] = said[t] + _come(alpha[t - 1], skips)
    return alpha


def _backward(said: Array, skips: Array, times: Array, lengths: Array) -> Array:
    """ln of the likelihood of all ways from each place at each time to the end."""
    beta = np.full_like(said, -np.inf)
    place = np.arange(said.shape[2])
    ends = (place == 2 * lengths[:, None]) | (place == 2 * lengths[:, None] - 1)
    allowed = np.zeros_like(skips)
    allowed[:, : -2 or None] = skips[:, 2:]
    for t in range(len(said) - 1, -1, -1):
        if t + 1 < len(said):
            beta[t] = said[t] + _come(beta[t + 1][:, ::-1], allowed[:, ::-1])[:, ::-1]
        last = (times == t + 1)[:, None]
        beta[t] = np.where(last, np.where(ends, said[t], -np.inf), beta[t])
    return beta


def _likelihood(alpha: Array, times: Array, lengths: Array) -> Array:
    """−ln of the likelihood of all labels, at each sample's own last time and place."""
    rows = np.arange(len(times))
    last = alpha[times - 1, rows]
    end = last[rows, 2 * lengths]
    before = np.where(lengths > 0, last[rows, 2 * lengths - 1], -np.inf)
    found = np.where(times > 0, np.logaddexp(end, before), np.where(lengths > 0, -np.inf, 0))
    return -found


@primitive(grad_fn="CtcLossBackward0")
def _ctc_loss(log_probs: Array, targets: Array, times: Array, lengths: Array, *, blank: int) -> Any:
    """−ln Σ over all ways to spell the labels of the product of their probabilities"""
    _, said, skips = _lattice(log_probs, targets, lengths, blank)
    return _likelihood(_forward(said, skips), times, lengths).astype(log_probs.dtype)


@primitive(grad_fn="NotImplemented")
def _ctc_loss_backward(
    grad: Array, log_probs: Array, targets: Array, times: Array, lengths: Array, *, blank: int
) -> Any:
    """g · (eˣ − the share of the ways that go through each label at each time)"""
    labels, said, skips = _lattice(log_probs, targets, lengths, blank)
    alpha = _forward(said, skips)
    loss = _likelihood(alpha, times, lengths)
    ways = alpha + _backward(said, skips, times, lengths)
    with np.errstate(invalid="ignore"):
        shares = np.where(ways == -np.inf, -np.inf, ways - said) + loss[:, None]
    out = np.exp(log_probs)
    at = np.arange(len(out))[:, None, None], np.arange(len(times))[:, None], labels
    np.subtract.at(out, at, np.exp(shares).astype(out.dtype))
    out[:, loss == np.inf] = np.nan  # no way at all, of which nothing has a share
    out[log_probs == -np.inf] = np.nan
    out[np.arange(len(out))[:, None] >= times] = 0
    g = grad[:, None]
    return np.where(g == 0, 0, out * g)


_ctc_loss_backward.derivatives(
    grad=no_derivative("aten::_ctc_loss_backward"),
    log_probs=no_derivative("aten::_ctc_loss_backward"),
)


_ctc_loss.derivatives(
    log_probs=lambda g, log_probs, targets, times, lengths, blank: _ctc_loss_backward(
        g, log_probs, targets, times, lengths, blank=blank
    )
)


def _read_lengths(name: str, given: Any, count: int, most: int | None) -> Array:
    """Lengths as an array; PyTorch's errors."""
    if not isinstance(given, Tensor | tuple | list):
        raise TypeError(
            f"ctc_loss(): argument '{name}' must be tuple of ints, not {type(given).__name__}"
        )
    lengths = given._array if isinstance(given, Tensor) else np.asarray(given)
    if lengths.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    lengths = lengths.reshape(-1).astype(np.int64)
    if len(lengths) != count:
        raise RuntimeError(f"{name} must be of size batch_size")
    highest = lengths.max(initial=0) if most is None else most
    for bound, limit, bad in (
        ("most", highest, lengths[lengths > highest]), ("least", 0, lengths[lengths < 0]),
    ):  # fmt: skip
        if len(bad):
            raise RuntimeError(
                f"Expected {name} to have value at {bound} {limit}, but got value {bad[0]} (while "
                "checking arguments for ctc_loss_allocate_outputs)"
            )
    return lengths


def _read_targets(targets: Array, lengths: Array, classes: int) -> Array:
    """Labels as (batch, length), given so or one after another; RuntimeError for unknown ones."""
    longest = int(lengths.max(initial=0))
    if targets.ndim == 1:
        rows = np.zeros((len(lengths), longest), np.int64)
        for row, part in zip(rows, np.split(targets, np.cumsum(lengths)[:-1]), strict=True):
            row[: len(part)] = part[: len(row)]
        targets = rows
    if targets.shape[1] < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size "
            f"{targets.shape[1]} for argument #2 'targets' (while checking arguments for "
            "ctc_loss_allocate_outputs)"
        )
    targets = targets[:, :longest].astype(np.int64)
    used = targets[np.arange(longest) < lengths[:, None]]
    if used.size and not (used.min() >= 0 and used.max() < classes):
        raise RuntimeError(f"ctc_loss: targets must be labels from 0 to {classes - 1}")
    return targets


@in_float32
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """−ln of the likelihood of `targets`, at whatever times, with blanks between them.

    `log_probs` is (time, batch, classes) or (time, classes), of log_softmax; `targets` (batch,
    length) or all labels in one row. "mean" divides by the lengths first. Labels that do not fit
    into their time have likelihood 0: the loss is infinite, or 0 if `zero_infinity`. The gradient
    is that of the scores before log_softmax, as PyTorch's is. Raises RuntimeError for lengths and
    labels out of range.

    >>> x = torch.full((2, 1, 2), 0.5).log()
    >>> torch.nn.functional.ctc_loss(x, torch.tensor([[1]]), (2,), (1,))
    tensor(0.2877)
    """
    check_tensors("ctc_loss", log_probs=log_probs, targets=targets)
    reduction = read_reduction(reduction)
    if not log_probs.is_floating_point():
        raise not_implemented("ctc_loss_cpu", log_probs._array.dtype)
    note_untraceable()
    alone = log_probs.dim() == 2
    probs = log_probs.unsqueeze(1) if alone else log_probs
    if probs.dim() != 3:
        raise RuntimeError(
            f"Expected 3-dimensional tensor, but got {log_probs.dim()}-dimensional tensor for "
            "argument #1 'log_probs' (while checking arguments for ctc_loss_allocate_outputs)"
        )
    time, batch, classes = probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    times = _read_lengths("input_lengths", input_lengths, batch, time)
    lengths = _read_lengths("target_lengths", target_lengths, batch, None)
    labels = _read_targets(targets._array, lengths, classes)
    given = [from_numpy(each) for each in (labels, times, lengths)]
    loss: Tensor = _ctc_loss(probs, *given, blank=blank)
    if zero_infinity:
        loss = where(loss == float("inf"), 0.0, loss)
    if reduction == "mean":
        loss = loss / given[2].clamp(min=1).to(loss.dtype)
    return reduced(loss.squeeze(0) if alone else loss, reduction)
