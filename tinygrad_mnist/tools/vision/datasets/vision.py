"""What the data sets share: transforms of pictures and targets, and how they are shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from torch.utils import data

from ..refusals import must

Function = Callable[[Any], Any] | None


class StandardTransform:
    """A transform of the picture and one of the target."""

    def __init__(self, transform: Function = None, target_transform: Function = None) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        """Both, transformed."""
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        given = {"Transform: ": self.transform, "Target transform: ": self.target_transform}
        for head, function in given.items():
            if function is not None:
                first, *rest = repr(function).splitlines()
                lines += [head + first, *[" " * len(head) + line for line in rest]]
        return "\n".join(lines)


class VisionDataset(data.Dataset):
    """A data set of pictures and targets in a folder, `root`."""

    def __init__(
        self, root: Any = None, transforms: Any = None, transform: Function = None,
        target_transform: Function = None,
    ) -> None:  # fmt: skip
        separate = StandardTransform(transform, target_transform)
        told = "Only transforms or transform/target_transform can be passed as argument"
        must(transforms is None or not (transform or target_transform), told)
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transform, self.target_transform = transform, target_transform
        self.transforms = separate if transform or target_transform else transforms

    def _transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """A sample as it is handed out, by the transforms as they are now."""
        return StandardTransform(self.transform, self.target_transform)(image, target)

    def extra_repr(self) -> str:
        """More lines of its text."""
        return ""

    def __repr__(self) -> str:
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        if self.transforms is not None:
            lines.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *[f"    {line}" for line in lines]])


class SplitDataset(VisionDataset):
    """A data set in two parts, one to train on and one to test."""

    def __init__(
        self, root: Any, train: bool = True, transform: Function = None,
        target_transform: Function = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        self._load()

    download: Any
    """Fetches the files where they are missing."""
    _load: Any
    """Reads pictures and targets from the files; raises RuntimeError where they are missing."""

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The numbers of the classes."""
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Which part it is."""
        return f"Split: {'Train' if self.train else 'Test'}"
