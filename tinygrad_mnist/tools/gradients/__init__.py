"""Gradients of any function, in any framework, held against its own differences."""
