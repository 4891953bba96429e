"""Code generation: the Numba source of a lowered program."""
