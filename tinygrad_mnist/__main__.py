"""`python -m tinygrad_mnist` is `tinygrad-mnist`."""

from tinygrad_mnist.cli import main

main()
