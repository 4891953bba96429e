"""The names of `torch._dynamo` that scripts use: those of `torch.compiler`."""

from tinygrad_mnist.compiler import allow_in_graph, disable, list_backends, reset

__all__ = ["allow_in_graph", "disable", "list_backends", "reset"]
