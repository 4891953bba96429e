"""`torch.random`: the numbers that PyTorch's CPU generator gives for the same seed.

`rand`, `randint`, `randperm` and what is drawn like them give PyTorch's numbers exactly; `randn`
gives those of PyTorch on processors with AVX2.
"""

from tinygrad_mnist import names as _names

_FILES = ("ops.generator:", "ops.random_factories:")
_PLACES = {name: place for name, place in _names.NAMES.items() if place.startswith(_FILES)}
_PLACES["fork_rng"] = "ops.generator:fork_rng"

__all__ = sorted(_PLACES)
__getattr__, __dir__ = _names.lazily(__name__, _PLACES)
