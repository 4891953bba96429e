"""Distances of vectors, and losses that want a margin between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import arange, from_numpy
from tinygrad_mnist.engine.autocast import in_float32
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_untraceable
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.arguments import check_constant, check_tensors, to_out
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.elementwise import minimum
from tinygrad_mnist.ops.matrices import vector_norm
from tinygrad_mnist.ops.shapes import broadcast_tensors

from .activations import logsigmoid
from .losses import Flag, read_reduction, reduced


def normalize(
    input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """x / max(‖x‖ₚ, eps) along `dim`: vectors of length 1.

    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    if out is not None:
        return to_out(normalize, out, (input, p, dim, eps), {})
    return input / input.norm(p, dim, True).clamp_min(eps).expand_as(input)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along `dim`; both broadcast.

    >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]])
    >>> torch.nn.functional.cosine_similarity(x, y)
    tensor([0.7071])
    """
    check_tensors("cosine_similarity", x1=x1, x2=x2)
    kind = dtypes.promote((x1._array, x2._array))
    if not kind.is_floating_point:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {kind.legacy_name}"
        )
    first, second = broadcast_tensors(cast_to(x1, kind), cast_to(x2, kind))
    directions = [x / vector_norm(x, 2, dim, keepdim=True).clamp_min(eps) for x in (first, second)]
    return (directions[0] * directions[1]).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x₁ − x₂ + eps‖ₚ along the last dimension; both broadcast.

    >>> x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    >>> torch.nn.functional.pairwise_distance(x, y)
    tensor([5.0000])
    """
    check_tensors("pairwise_distance", x1=x1, x2=x2)
    return named_as((x1 - x2 + eps).norm(p, -1, keepdim), "NormBackward1")


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances of all pairs of rows of (n, m), as (n · (n − 1) / 2).

    Raises RuntimeError for another number of dimensions or a negative p.
    """
    check_tensors("pdist", input=input)
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    count = input.size(0)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    return named_as((input[first] - input[second]).norm(p, -1), "PdistBackward0")


# Losses


@in_float32
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, −t · (x₁ − x₂) + margin): x₁ is to be the larger where t is 1, x₂ where it is −1."""
    reduction = read_reduction(reduction, size_average, reduce)
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + float(margin)).clamp_min(0), reduction)


@in_float32
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """x where t is 1, max(0, margin − x) where it is −1: x is a distance."""
    reduction = read_reduction(reduction, size_average, reduce)
    apart = where(target != 1, (margin - input).clamp_min(0), 0.0)
    return reduced(apart + where(target != -1, input, 0.0), reduction)


@in_float32
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """ln(1 + e^(−t · x)) for targets of 1 and −1."""
    check_tensors("soft_margin_loss", input=input, target=target)
    check_constant("soft_margin_loss", target=target)
    reduction = read_reduction(reduction, size_average, reduce)
    losses = reduced((-target * input).exp().log1p(), reduction)
    return named_as(losses, "SoftMarginLossBackward0")


@in_float32
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 − cos(x₁, x₂) where t is 1, max(0, cos(x₁, x₂) − margin) where it is −1.

    Raises RuntimeError for targets that are not one number for each pair.
    """
    reduction = read_reduction(reduction, size_average, reduce)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if not input1.dim() == input2.dim() == target.dim() + 1:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    product = (input1 * input2).sum(target.dim())
    squares = [(x * x).sum(target.dim()) + 1e-12 for x in (input1, input2)]
    cosine = product / (squares[0] * squares[1]).sqrt()
    losses = where(target == 1, 1 - cosine, 0.0)
    losses = losses + where(target == -1, (cosine - margin).clamp_min(0), 0.0)
    return reduced(losses, reduction)


def _rows(input: Tensor) -> Tensor:
    """Scores as (n, classes), n = 1 for those of one sample; PyTorch's error for other shapes."""
    if input.dim() > 2 or 0 in input.shape[-1:]:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    return input if input.dim() == 2 else input.reshape(1, -1)


def _by_sample(losses: Tensor, reduction: str, alone: bool, grad_fn: str) -> Tensor:
    """The losses of samples reduced; of a sample `alone`, without the dimension of the batch."""
    out = reduced(losses, reduction)
    return named_as(out[0] if alone and reduction == "none" else out, grad_fn)


@in_float32
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: Flag = None, reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ max(0, margin − x[t] + x[i])ᵖ / classes over the classes i other than t.

    `input` is (n, classes) or (classes), `target` the class of each; `weight` one number for each
    class. Raises ValueError for p other than 1 and 2, RuntimeError for targets of another size.
    """
    reduction = read_reduction(reduction, size_average, reduce)
    check_constant("multi_margin_loss", weight=weight)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    scores = _rows(input)
    if target.numel() != scores.size(0):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
            f"input samples (batch size). Expected target size [{scores.size(0)}], but got "
            f"{list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.numel() != scores.size(1):
        raise RuntimeError(
            f"inconsistent weight size, expected {scores.size(1)} but got {list(weight.shape)}"
        )
    if target._array.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.legacy_name}")
    labels = target.reshape(-1, 1)
    classes = labels._array
    if classes.size and not 0 <= classes.min() <= classes.max() < scores.size(1):
        raise RuntimeError("target out of range")
    excess = (margin - scores.gather(1, labels) + scores).clamp_min(0)
    if p == 2:
        excess = excess * excess
    if weight is not None:
        excess = excess * weight[labels]
    others = arange(scores.size(1)) != labels
    losses = where(others, excess, 0.0).sum(1) / scores.size(1)
    return _by_sample(losses, reduction, target.dim() == 0, "MultiMarginLossBackward0")


@in_float32
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ max(0, 1 − (x[j] − x[i])) / classes over target classes j and others i.

    `target`, of the shape of `input`, lists the classes of each sample, up to the first −1.
    Raises RuntimeError for targets of another shape.
    """
    reduction = read_reduction(reduction, size_average, reduce)
    scores = _rows(input)
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    note_untraceable()
    labels = target._array.reshape(scores.shape)
    listed = np.logical_and.accumulate(labels >= 0, axis=1)
    wanted = np.zeros(labels.shape, bool)
    rows, columns = np.nonzero(listed)
    wanted[rows, labels[rows, columns]] = True
    classes = from_numpy(np.where(listed, labels, 0))
    distances = 1 - (scores.gather(1, classes).unsqueeze(2) - scores.unsqueeze(1))
    counted = from_numpy(listed[:, :, None] & ~wanted[:, None, :])
    losses = where(counted, distances.clamp_min(0), 0.0).sum((1, 2)) / scores.size(1)
    return _by_sample(losses, reduction, input.dim() < 2, "MultilabelMarginLossBackward0")


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Flag = None,
    reduce: Flag = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over classes of −(t · ln σ(x) + (1 − t) · ln σ(−x)), times `weight`."""
    reduction = read_reduction(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    return reduced(losses.sum(input.dim() - 1) / input.size(-1), reduction)


@in_float32
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: Flag = None, reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, ‖a − positive‖ₚ − ‖a − negative‖ₚ + margin).

    With `swap` the distance of positive and negative counts where it is the smaller. Raises
    ValueError for a margin that is not positive.

    Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses" (2016).
    """
    reduction = read_reduction(reduction, size_average, reduce)
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, margin=margin, swap=swap, reduction=reduction,
        distance_function=lambda x, y: pairwise_distance(x, y, p, eps),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """`triplet_margin_loss` with a distance of one's own, `pairwise_distance` unless given."""
    reduction = read_reduction(reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)
