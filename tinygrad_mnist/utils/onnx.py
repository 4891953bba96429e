"""Exporting models as ONNX: every name is refused when it is used."""

from tinygrad_mnist.names import lazily, refused

__getattr__, __dir__ = lazily("tinygrad_mnist.onnx", {})
globals().update(refused("onnx", "export"))
