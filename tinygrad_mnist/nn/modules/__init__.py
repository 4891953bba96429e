"""The layers by kind, and Module, which all of them are."""

from . import container, convolution, embedding, layers, linear, loss, normalization, pooling
from .container import *  # noqa: F403
from .convolution import *  # noqa: F403
from .embedding import *  # noqa: F403
from .layers import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .module import Module
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403

__all__ = ["Module"]
__all__ += container.__all__
__all__ += convolution.__all__
__all__ += embedding.__all__
__all__ += layers.__all__
__all__ += linear.__all__
__all__ += loss.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
