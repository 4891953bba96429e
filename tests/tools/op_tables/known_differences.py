"""Where we differ from PyTorch's tables of operations, and why. Each must still differ."""

_SINGULAR_VALUES = "matrix norms of singular values are refused with NotImplementedError"
_NOT_A_TENSOR = "Tensor.__radd__ and its kin, called with a number for self, which no program does"

DIFFERENT = {
    "nn.functional.scaled_dot_product_attention": "scores that cancel round "
    "differently in float32; second derivatives, which PyTorch's own kernel lacks, exist here",
    "linalg.norm.subgradients_at_zero": "the second derivative of a norm at zero, which does not "
    "exist, is 0 instead of NaN",
}
"""Results: the name in the table, and the reason."""

REFUSED_IN_PART = {
    "linalg.matrix_norm": _SINGULAR_VALUES,
    "linalg.norm": _SINGULAR_VALUES,
    "linalg.norm.subgradients_at_zero": _SINGULAR_VALUES,
    "nn.functional.interpolate.area": "there is no pooling of 5 dimensions",
    "norm.nuc": _SINGULAR_VALUES,
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
