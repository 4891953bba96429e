"""What the table of operations has no row for yet."""

PRIMITIVES_WITHOUT_ROW = (
    "add_bias", "constant", "constant_in", "hardshrink", "item",
    "pick", "place_of_part_max", "put_back", "read", "softshrink",
    "window_spread", "window_sum",
)  # fmt: skip
"""Primitives that have tests of their own but no row yet; strict, so that this empties."""

NAMES_WITHOUT_ROW = (
    "adaptive_max_pool1d", "bilinear", "celu", "celu_", "channel_shuffle", "cosine_similarity",
    "hardshrink", "nn.functional.adaptive_max_pool1d", "nn.functional.adaptive_max_pool2d",
    "nn.functional.alpha_dropout", "nn.functional.bilinear", "nn.functional.celu_",
    "nn.functional.channel_shuffle", "nn.functional.cosine_embedding_loss",
    "nn.functional.cosine_similarity", "nn.functional.dropout3d", "nn.functional.elu_",
    "nn.functional.feature_alpha_dropout", "nn.functional.fold",
    "nn.functional.gaussian_nll_loss", "nn.functional.group_norm",
    "nn.functional.gumbel_softmax", "nn.functional.hardshrink", "nn.functional.hardtanh_",
    "nn.functional.hinge_embedding_loss", "nn.functional.instance_norm",
    "nn.functional.interpolate", "nn.functional.leaky_relu_",
    "nn.functional.local_response_norm", "nn.functional.lp_pool1d", "nn.functional.lp_pool2d",
    "nn.functional.margin_ranking_loss", "nn.functional.multi_margin_loss",
    "nn.functional.multilabel_margin_loss", "nn.functional.multilabel_soft_margin_loss",
    "nn.functional.normalize", "nn.functional.pairwise_distance", "nn.functional.pdist",
    "nn.functional.pixel_shuffle", "nn.functional.pixel_unshuffle",
    "nn.functional.poisson_nll_loss", "nn.functional.relu_", "nn.functional.rms_norm",
    "nn.functional.rrelu", "nn.functional.rrelu_", "nn.functional.scaled_dot_product_attention",
    "nn.functional.selu_", "nn.functional.soft_margin_loss", "nn.functional.softshrink",
    "nn.functional.threshold_", "nn.functional.triplet_margin_loss",
    "nn.functional.triplet_margin_with_distance_loss", "nn.functional.unfold",
    "nn.functional.upsample", "nn.functional.upsample_bilinear",
    "nn.functional.upsample_nearest", "pairwise_distance", "pdist", "pixel_shuffle",
    "pixel_unshuffle", "prelu", "relu_", "rms_norm", "rrelu", "rrelu_", "selu", "selu_",
    "threshold", "threshold_",
)  # fmt: skip
"""Public names that have tests of their own but no row yet; strict, so that this empties."""
