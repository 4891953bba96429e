"""Losses: the functions of `nn.functional` that measure predictions, as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn.functional.losses import legacy_reduction

from .functional_layer import Layer
from .layers import PairwiseDistance


class _Loss(Layer, inputs=2):
    """A loss and how it is reduced: "mean", "sum" or "none"; weights are buffers."""

    reduction: str
    weight: Tensor | None

    def _set_up(self, **settings: Any) -> None:
        older = settings.pop("size_average", None), settings.pop("reduce", None)
        self.reduction = legacy_reduction(settings.pop("reduction"), *older)
        for name in ("weight", "pos_weight"):
            if name in settings:
                self.register_buffer(name, settings.pop(name))
        super()._set_up(**settings)


_REDUCTION = "size_average, reduce, reduction"


class _WeightedLoss(_Loss):
    """A loss with a weight for each class or number."""


class L1Loss(_Loss, init_in="_Loss", of=F.l1_loss, settings=_REDUCTION):
    """|x − target|"""


class MSELoss(_Loss, init_in="_Loss", of=F.mse_loss, settings=_REDUCTION):
    """(x − target)²

    >>> torch.nn.MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """


class SmoothL1Loss(_Loss, of=F.smooth_l1_loss):
    """d² / (2 · beta) for d = |x − target| below `beta`, d − beta / 2 above."""


class HuberLoss(_Loss, of=F.huber_loss, settings="reduction, delta"):
    """d² / 2 for d = |x − target| up to `delta`, delta · (d − delta / 2) above."""

    def _set_up(self, **settings: Any) -> None:
        if not isinstance(settings["delta"], float | int):
            raise TypeError(f"delta must be a float or int, got: {type(settings['delta'])}")
        super()._set_up(**settings)


class KLDivLoss(_Loss, of=F.kl_div):
    """target · (ln target − x) for log-probabilities x."""


class BCELoss(_WeightedLoss, init_in="_WeightedLoss", of=F.binary_cross_entropy):
    """−(t · ln x + (1 − t) · ln(1 − x)) for probabilities x."""


class BCEWithLogitsLoss(_Loss, of=F.binary_cross_entropy_with_logits):
    """−(t · ln σ(x) + (1 − t) · ln(1 − σ(x))) for scores x."""

    pos_weight: Tensor | None


class NLLLoss(_WeightedLoss, of=F.nll_loss):
    """−x[target] for log-probabilities x and class indices, weighted by class."""


class CrossEntropyLoss(_WeightedLoss, of=F.cross_entropy):
    """The negative log likelihood of the softmax of scores, weighted by class.

    >>> torch.nn.CrossEntropyLoss()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """


# Losses with a margin


class MarginRankingLoss(_Loss, of=F.margin_ranking_loss, inputs=3, values={"margin": 0.0}):
    """max(0, −t · (x₁ − x₂) + margin)"""


class HingeEmbeddingLoss(_Loss, of=F.hinge_embedding_loss):
    """x where t is 1, max(0, margin − x) where it is −1."""


class CosineEmbeddingLoss(_Loss, of=F.cosine_embedding_loss, inputs=3, values={"margin": 0.0}):
    """1 − cos(x₁, x₂) where t is 1, max(0, cos(x₁, x₂) − margin) where it is −1."""


class SoftMarginLoss(_Loss, init_in="_Loss", of=F.soft_margin_loss):
    """ln(1 + e^(−t · x))"""


class MultiMarginLoss(_WeightedLoss, of=F.multi_margin_loss):
    """Σ max(0, margin − x[t] + x[i])ᵖ / classes over the classes i other than t."""

    def _set_up(self, **settings: Any) -> None:
        weight = settings["weight"]
        if settings["p"] not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            raise ValueError(
                "MultiMarginLoss: expected weight to be None or 1D tensor, got "
                f"{weight.dim()}D instead"
            )
        super()._set_up(**settings)


class MultiLabelMarginLoss(_Loss, init_in="_Loss", of=F.multilabel_margin_loss):
    """Σ max(0, 1 − (x[j] − x[i])) / classes over target classes j and others i."""


class MultiLabelSoftMarginLoss(
    _WeightedLoss, init_in="_WeightedLoss", of=F.multilabel_soft_margin_loss
):
    """The mean over classes of −(t · ln σ(x) + (1 − t) · ln σ(−x))."""


class _TripletLoss(_Loss, inputs=3):
    def _set_up(self, **settings: Any) -> None:
        if settings["margin"] <= 0:
            raise ValueError(
                f"{type(self).__name__}: expected margin to be greater than 0, "
                f"got {settings['margin']} instead"
            )
        super()._set_up(**settings)


class TripletMarginLoss(_TripletLoss, of=F.triplet_margin_loss, values={"p": 2.0}):
    """max(0, ‖a − positive‖ₚ − ‖a − negative‖ₚ + margin)"""


class TripletMarginWithDistanceLoss(_TripletLoss, of=F.triplet_margin_with_distance_loss):
    """TripletMarginLoss with a distance of one's own, PairwiseDistance unless given."""

    distance_function: Callable[[Tensor, Tensor], Tensor]

    def _set_up(self, **settings: Any) -> None:
        if settings["distance_function"] is None:
            settings["distance_function"] = PairwiseDistance()
        super()._set_up(**settings)


# Negative log likelihoods of a distribution


class GaussianNLLLoss(_Loss, of=F.gaussian_nll_loss, inputs=3, settings="*, full, eps, reduction"):
    """(ln var + (x − t)² / var) / 2"""


class PoissonNLLLoss(_Loss, of=F.poisson_nll_loss, inputs=["log_input", "target"]):
    """eˣ − t · x for the logarithm x of a rate, or x − t · ln(x + eps) for the rate itself."""


class CTCLoss(_Loss, of=F.ctc_loss, inputs=4):
    """−ln of the likelihood of labels, at whatever times, with blanks between them.

    >>> x = torch.full((2, 1, 2), 0.5).log()
    >>> torch.nn.CTCLoss()(x, torch.tensor([[1]]), (2,), (1,))
    tensor(0.2877)
    """
