"""The functions of networks, without state: `import tinygrad_mnist.nn.functional as F`."""

from tinygrad_mnist.names import lazily, read_table

_PLACES = read_table({
    "nn.functional.activations": """
        alpha_dropout celu celu_ dropout dropout1d dropout2d dropout3d elu elu_
        feature_alpha_dropout gelu glu gumbel_softmax hardshrink hardsigmoid hardswish hardtanh
        hardtanh_ leaky_relu leaky_relu_ log_softmax logsigmoid mish prelu relu relu6 relu_ rrelu
        rrelu_ selu selu_ silu softmax softmin softplus softshrink softsign tanhshrink threshold
        threshold_""",
    "nn.functional.attention": "multi_head_attention_forward scaled_dot_product_attention",
    "nn.functional.ctc": "ctc_loss",
    "nn.functional.grids": "affine_grid grid_sample",
    "nn.functional.images": """
        adaptive_max_pool1d channel_shuffle fold interpolate lp_pool1d lp_pool2d lp_pool3d
        max_unpool1d max_unpool2d max_unpool3d pixel_shuffle pixel_unshuffle
        unfold upsample upsample_bilinear upsample_nearest""",
    "nn.functional.linear_maps": "bilinear embedding linear one_hot",
    "nn.functional.losses": """
        binary_cross_entropy binary_cross_entropy_with_logits cross_entropy gaussian_nll_loss
        huber_loss kl_div l1_loss mse_loss nll_loss poisson_nll_loss smooth_l1_loss""",
    "nn.functional.margin_losses": """
        cosine_embedding_loss cosine_similarity hinge_embedding_loss margin_ranking_loss
        multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss normalize
        pairwise_distance pdist soft_margin_loss triplet_margin_loss
        triplet_margin_with_distance_loss""",
    "nn.functional.normalization": """
        batch_norm group_norm instance_norm layer_norm local_response_norm rms_norm""",
    "ops.arranging": "pad",
    "ops.convolution": """
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d""",
    "ops.elementwise": "sigmoid tanh",
    "ops.pooling": """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d avg_pool1d avg_pool2d max_pool1d
        max_pool2d""",
    "ops.volumes": "adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d max_pool3d",
})  # fmt: skip

__all__ = sorted(_PLACES)
__getattr__, __dir__ = lazily(__name__, _PLACES)
