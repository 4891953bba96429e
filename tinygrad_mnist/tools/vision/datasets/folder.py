"""Pictures in folders, a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from PIL import Image

from ..refusals import must
from .vision import Function, VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path: Any) -> Image.Image:
    """The picture in a file, in RGB."""
    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


def find_classes(directory: Any) -> tuple[list[str], dict[str, int]]:
    """The names of the folders, sorted, and the number of each."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    must(classes, f"Couldn't find any class folder in {directory}.", FileNotFoundError)
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: Any, class_to_idx: dict[str, int] | None = None, extensions: Any = None,
    is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False,
) -> list[tuple[str, int]]:  # fmt: skip
    """The files below the classes' folders, each with its class, sorted."""
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    must(class_to_idx, "'class_to_index' must have at least one entry to collect any samples.")
    told = "expected either extensions or is_valid_file: one of the two, not both"
    must((extensions is None) != (is_valid_file is None), told)
    ends = extensions if isinstance(extensions, str) else tuple(extensions or ())
    found = []
    for name in sorted(class_to_idx):
        place = os.path.join(os.path.expanduser(directory), name)
        paths = [
            os.path.join(folder, file)
            for folder, _, names in sorted(os.walk(place, followlinks=True))
            for file in sorted(names)
        ]
        valid = is_valid_file or (lambda path: path.lower().endswith(ends))
        found += [(path, class_to_idx[name]) for path in paths if valid(path)]
    empty = set(class_to_idx.values()).difference(number for _, number in found)
    names = ", ".join(sorted(name for name, number in class_to_idx.items() if number in empty))
    told = "" if extensions is None else f"Supported extensions are: {', '.join(ends)}"
    told = f"Found no valid file for the classes {names}. {told}"
    must(allow_empty or not empty, told, FileNotFoundError)
    return found


class DatasetFolder(VisionDataset):
    """Files in folders: `root`/class/…/file, each read by `loader`."""

    def __init__(
        self, root: Any, loader: Callable[[str], Any], extensions: Any = None,
        transform: Function = None, target_transform: Function = None,
        is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.loader, self.extensions = loader, extensions
        self.samples = self.make_dataset(
            self.root, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.targets = [target for _, target in self.samples]

    make_dataset = staticmethod(make_dataset)
    find_classes = staticmethod(find_classes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in folders: `root`/class/…/picture.png."""

    def __init__(
        self, root: Any, transform: Function = None, target_transform: Function = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False,
    ) -> None:  # fmt: skip
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
