"""`python -m tinygrad_mnist` is `tinygrad-mnist`."""

from tinygrad_mnist.app.cli import main

main()
