"""Data for training: datasets, samplers, and DataLoader, which makes batches of them."""

from typing import TYPE_CHECKING

from tinygrad_mnist.names import lazily

from .dataloader import DataLoader
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .fetch import default_collate, default_convert
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

if TYPE_CHECKING:
    from .distributed import DistributedSampler
    from .workers import get_worker_info

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset",
    "DistributedSampler", "IterableDataset", "RandomSampler", "Sampler", "SequentialSampler",
    "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler",
    "default_collate", "default_convert", "get_worker_info", "random_split",
]  # fmt: skip
_PLACES = {
    "get_worker_info": "utils.data.workers:get_worker_info",
    "DistributedSampler": "utils.data.distributed:DistributedSampler",
}
__getattr__, __dir__ = lazily(__name__, _PLACES, ("distributed",))
