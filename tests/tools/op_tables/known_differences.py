"""Where we differ from PyTorch's tables of operations, and why. Each must still differ."""

_NOT_A_TENSOR = "Tensor.__radd__ and its kin, called with a number for self, which no program does"

_SIGNS = "eigenvectors and singular vectors have another sign in another LAPACK"

DIFFERENT = {
    **dict.fromkeys(["linalg.eigh", "linalg.svd", "svd"], _SIGNS),
    **dict.fromkeys(
        ["digamma", "special.polygamma.special_polygamma_n_0"]
        + [f"polygamma.polygamma_n_{n}" for n in range(5)],
        "near its poles PyTorch computes polygamma in float32 to 5 digits",
    ),
    **dict.fromkeys(
        ["linalg.pinv.hermitian", "linalg.tensorsolve"],
        "gradients of ill-conditioned samples round differently in float32",
    ),
    "nn.functional.scaled_dot_product_attention": "scores that cancel round "
    "differently in float32; second derivatives, which PyTorch's own kernel lacks, exist here",
    "nn.functional.conv_transpose3d": "sums of products that cancel round differently in float32",
    "nn.functional.ctc_loss": "probabilities are added in float64 here, in float32 in PyTorch",
    **dict.fromkeys(
        ["nn.functional.max_unpool1d", "nn.functional.max_unpool1d.grad"],
        "grad_fn is named after the operation on images that computes it",
    ),
    "bfloat16": "results are compared as NumPy's arrays, which have no bfloat16",
    "linalg.norm.subgradients_at_zero": "the second derivative of a norm at zero, which does not "
    "exist, is 0 instead of NaN",
}
"""Results: the name in the table, and the reason."""

REFUSED_IN_PART = {
    "nn.functional.interpolate.area": "there is no pooling of 5 dimensions",
}
"""Of whose samples some, which PyTorch computes, are refused with NotImplementedError."""

REFUSED_DIFFERENTLY = dict.fromkeys(
    [
        "__radd__", "__rand__", "__rdiv__", "__rmod__", "__rmul__", "__ror__", "__rpow__",
        "__rsub__", "__rxor__",
    ],
    _NOT_A_TENSOR,
)  # fmt: skip
"""Error inputs: the name in the table, and the reason."""
