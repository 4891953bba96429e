"""Loops that generated source calls, compiled as parts of it; importing them imports Numba."""
