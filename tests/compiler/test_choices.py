"""How a product is computed follows from its layout and its sizes."""

import numpy as np
import pytest

from tinygrad_mnist.compiler.choices import Product

FASTEST = [
    ("", 64, 784, 10, "few_columns"),
    ("", 4096, 10, 128, "outer"),
    ("", 64, 10, 128, "blas"),
    ("", 1024, 192, 64, "blas"),
    ("b", 64, 784, 128, "dots"),
    ("b", 1024, 128, 10, "dots"),
    ("b", 64, 128, 10, "blas"),
    ("b", 1024, 64, 192, "blas"),
    ("a", 784, 64, 10, "few_columns_transposed"),
    ("a", 10, 64, 128, "outer"),
    ("a", 144, 10, 16, "blas"),
    ("+a", 784, 8, 10, "add_few_columns_transposed"),
    ("+a", 128, 64, 784, "add_outer"),
    ("+", 128, 1, 784, "add_outer"),
    ("+", 784, 1, 10, "add_blas"),
]


@pytest.mark.parametrize(("kind", "m", "k", "n", "fastest"), FASTEST)
def test_what_was_fastest_when_all_were_measured_is_chosen(kind, m, k, n, fastest):
    dtype = np.dtype(np.float32)
    product = Product("a" in kind, "b" in kind, m, k, n, dtype, added="+" in kind)
    assert fastest in product.candidates()
    assert product.best() == fastest
