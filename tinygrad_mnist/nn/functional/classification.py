"""The losses of classification: the negative log likelihood of classes, or of their probabilities.

`reduction` is "mean", "sum" or "none" (one loss for each sample). `size_average` and `reduce` are
PyTorch's older way to say so, and warn.
"""

from __future__ import annotations

from tinygrad_mnist.engine.record import label
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import softmax as softmax_family
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.reduction import read_reduction, reduced

__all__ = ["cross_entropy", "nll_loss"]

Flag = bool | None


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    ignore_index: int = -100,
    reduce: Flag = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood: −input[i, target[i]], weighted by class, over the batch.

    `input` holds log-probabilities, (n, classes) or (n, classes, d₁, …) or (classes); `target`
    int64 class indices of the same shape without the classes. Entries equal to `ignore_index`
    count nothing. The mean divides by the sum of the weights. Raises IndexError for a target
    out of bounds and ValueError for batches of different size.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.0]]), torch.tensor([1]))
    tensor(1.)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    loss = softmax_family.nll_loss(input, target, weight, ignore_index, reduction)
    return loss if input.dim() == 2 else _named(loss, input.dim(), reduction)


def _named(loss: Tensor, ndim: int, reduction: str) -> Tensor:
    """The loss, its record under the name that PyTorch has for this number of dimensions."""
    if ndim > 2 and (ndim == 4 or reduction != "none"):
        return label(loss, "NllLoss2DBackward0")
    return label(loss, "NllLossBackward0") if ndim == 1 else loss


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Flag = None,
    ignore_index: int = -100,
    reduce: Flag = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of `log_softmax`: the loss of a classifier that gives unnormalised scores.

    `input` is (n, classes), (n, classes, d₁, …) or (classes); `target` int64 class indices, or
    probabilities in the shape of `input`. `label_smoothing` takes that share of each target and
    gives it to all classes alike. Raises RuntimeError for a share outside [0, 1], and what
    `nll_loss` raises.

    Label smoothing: Szegedy et al., "Rethinking the Inception architecture" (2016).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = read_reduction(reduction, size_average, reduce)
    check_tensors("cross_entropy_loss", input=input, target=target)
    classes_dim = 0 if input._array.ndim == 1 else 1
    alike = target._array.shape == input._array.shape
    if not label_smoothing and not alike:
        scores = softmax_family.log_softmax(input, classes_dim)
        return nll_loss(scores, target, weight, None, ignore_index, None, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if alike:
        _check_probabilities(input, target, weight, classes_dim, ignore_index)
    scores = softmax_family.log_softmax(input, classes_dim)
    if alike:
        return _of_probabilities(scores, target, weight, classes_dim, reduction, label_smoothing)
    return _smoothed(scores, target, weight, classes_dim, ignore_index, reduction, label_smoothing)


def _by_class(scores: Tensor, weight: Tensor | None, dim: int) -> Tensor:
    """The scores, each times its class's weight."""
    if weight is None:
        return scores
    return scores * weight.reshape(-1, *[1] * (scores.dim() - dim - 1))


def _check_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, dim: int, ignore_index: int
) -> None:
    if not target.is_floating_point():
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{target.dtype.legacy_name}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    classes = input.size(dim)
    if weight is not None and weight.shape != (classes,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or "
            f"no classes but got weight tensor of shape: {list(weight.shape)}"
        )


def _of_probabilities(
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    dim: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """−Σ target · scores over the classes."""
    classes = scores.size(dim)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    products = _by_class(scores * target, weight, dim)
    if reduction == "none":
        return -products.sum(dim)
    total = -products.sum()
    if reduction == "sum":
        return total
    return label(total / (scores.numel() // classes), "DivBackward1")


def _smoothed(
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    dim: int,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """(1 − smoothing) · nll_loss + smoothing · the mean loss of all classes."""
    exact = softmax_family.nll_loss(scores, target, weight, ignore_index, reduction)
    ignored = target == ignore_index
    even = -_by_class(scores, weight, dim).sum(dim).masked_fill(ignored, 0.0)
    if reduction == "mean":
        counted = (~ignored).to(scores.dtype)
        if weight is not None:
            counted = counted * weight[target.masked_fill(ignored, 0).long()]
        even = even.sum() / counted.sum()
    else:
        even = reduced(even, reduction)
    return exact * (1 - smoothing) + even * (smoothing / scores.size(dim))
