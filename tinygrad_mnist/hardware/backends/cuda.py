"""Computing on NVIDIA's GPUs: not there; what a script sets is kept and has no effect."""

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)


def is_built() -> bool:
    """Whether the engine could use such a GPU: no."""
    return False
