"""The short names of the data types, as `torch.float` is of `torch.float32`."""

from tinygrad_mnist import dtypes

float = dtypes.float32
double = dtypes.float64
int = dtypes.int32
long = dtypes.int64

__all__ = ["double", "float", "int", "long"]
