"""`torchvision.models`: networks that tell what is in a picture, with weights or without."""

from ..refusals import refuse
from ._api import *  # noqa: F403
from .alexnet import *  # noqa: F403
from .densenet import *  # noqa: F403
from .efficientnet import *  # noqa: F403
from .mobilenetv2 import *  # noqa: F403
from .mobilenetv3 import *  # type: ignore[assignment]  # noqa: F403
from .resnet import *  # noqa: F403
from .squeezenet import *  # noqa: F403
from .vgg import *  # noqa: F403
from .vision_transformer import *  # noqa: F403

_ELSEWHERE = "only models that tell what is in a picture are carried"
__getattr__ = refuse("torchvision.models", {
    "detection": _ELSEWHERE, "segmentation": _ELSEWHERE, "video": _ELSEWHERE,
    "optical_flow": _ELSEWHERE, "quantization": "compute in torch.float32",
    "feature_extraction": "register a forward hook on the layer whose output is wanted",
})  # fmt: skip
"""Models that are not carried, refused in a sentence."""
