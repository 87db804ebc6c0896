"""Data sets that torchvision finds, downloads and verifies: arrays, and converted photographs.

Arrays keep their size. Photographs become 64x64 pixels: their largest central square (of CelebA's
178x218 the middle 178x178), decoded once and mapped from a file as those of folders are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch

from ganzoo.data.catalog import DataSet
from ganzoo.data.decoded import decoded
from ganzoo.data.decoding import Preprocessing
from ganzoo.data.loading import offline
from ganzoo.data.source import Source
from ganzoo.errors import DataError, choices


@dataclass(frozen=True)
class _Set:
    """How torchvision makes a data set.

    Args:
        kind: its class in `torchvision.datasets`. place: the folder or file below the root by which
            it is found.
        train, test: the arguments of its class for a split.
        arrays: returns images (n, c, h, w) of 8 bits and labels of the loaded set.
        files: returns the folder of photographs, their files and labels, instead of `arrays`.
    """

    kind: str
    place: str
    train: dict[str, Any]
    test: dict[str, Any]
    arrays: Callable[[Any], tuple[Any, Any]] | None = None
    files: Callable[[Any], tuple[Path, Sequence[Path], Any]] | None = None


def _of_mnist(loaded: Any) -> tuple[Any, Any]:
    return loaded.data[:, None], loaded.targets


def _of_emnist(loaded: Any) -> tuple[Any, Any]:
    # its files have rows and columns swapped
    return loaded.data.transpose(1, 2)[:, None].contiguous(), loaded.targets


def _of_cifar(loaded: Any) -> tuple[Any, Any]:
    return loaded.data.transpose(0, 3, 1, 2), loaded.targets


def _of_labels(loaded: Any) -> tuple[Any, Any]:
    return loaded.data, loaded.labels


def _of_celeba(loaded: Any) -> tuple[Path, Sequence[Path], Any]:
    folder = Path(loaded.root) / "celeba" / "img_align_celeba"
    return folder, [folder / name for name in loaded.filename], None


def _of_flowers(loaded: Any) -> tuple[Path, Sequence[Path], Any]:
    return loaded._images_folder, loaded._image_files, loaded._labels


def _of_pets(loaded: Any) -> tuple[Path, Sequence[Path], Any]:
    return loaded._images_folder, loaded._images, loaded._labels


_TRAIN, _TEST = {"train": True}, {"train": False}
_SPLIT, _SPLIT_TEST = {"split": "train"}, {"split": "test"}
_BALANCED = {"split": "balanced"}
SETS = {
    "cifar10": _Set("CIFAR10", "cifar-10-batches-py", _TRAIN, _TEST, _of_cifar),
    "cifar100": _Set("CIFAR100", "cifar-100-python", _TRAIN, _TEST, _of_cifar),
    "svhn": _Set("SVHN", "{split}_32x32.mat", _SPLIT, _SPLIT_TEST, _of_labels),
    "stl10": _Set("STL10", "stl10_binary", _SPLIT, _SPLIT_TEST, _of_labels),
    "kmnist": _Set("KMNIST", "KMNIST/raw", _TRAIN, _TEST, _of_mnist),
    "emnist": _Set("EMNIST", "EMNIST/raw", _TRAIN | _BALANCED, _TEST | _BALANCED, _of_emnist),
    "celeba": _Set("CelebA", "celeba", _SPLIT, _SPLIT_TEST, files=_of_celeba),
    "flowers102": _Set("Flowers102", "flowers-102", _SPLIT, _SPLIT_TEST, files=_of_flowers),
    "oxford-pets": _Set(
        "OxfordIIITPet", "oxford-iiit-pet", {"split": "trainval"}, _SPLIT_TEST, files=_of_pets
    ),
}
"""By the name in the catalog."""


def load(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """A data set of `SETS`, found in one of the roots, or downloaded to the last.

    Raises:
        DataError: it is neither there nor can be downloaded, or its files are malformed.
    """
    from torchvision import datasets

    found = SETS[declared.name]
    place = found.place.format(split=split)
    root = next((root for root in roots if (root / place).exists()), roots[-1])
    fetched = not (root / place).exists()
    if fetched and offline():
        raise DataError(
            f"data set {declared.name!r} is not in {choices(map(str, roots))}, and GANZOO_OFFLINE "
            f"forbids to download it. Put its files there ({place}), or use --data digits, which "
            "comes with ganzoo"
        )
    given = found.train if split == "train" else found.test
    root.mkdir(parents=True, exist_ok=True)
    try:
        loaded = getattr(datasets, found.kind)(root, download=fetched, **given)
        if found.arrays is not None:
            images, labels = found.arrays(loaded)
            arrays = {"image": _bytes(images), "label": torch.as_tensor(labels).long()}
            return Source(declared.name, declared.fields, arrays, flips=declared.flips)
        assert found.files is not None
        folder, files, labels = found.files(loaded)
    except ImportError as error:
        raise DataError(
            f"data set {declared.name!r} needs another package ({error.name}): "
            'pip install "ganzoo-core[metrics]"'
        ) from None
    # what torchvision raises for failed downloads and malformed files
    except (OSError, URLError, RuntimeError, ValueError, AssertionError, TypeError, EOFError) as e:
        reason = str(e).strip().splitlines()[-1] if str(e).strip() else type(e).__name__
        done = "could not be downloaded" if fetched else f"in {str(root / place)!r} cannot be read"
        raise DataError(
            f"data set {declared.name!r} {done} ({reason}). It comes from {declared.source}; its "
            f"files belong into {str(root / place)!r}, as torchvision's {found.kind} has them; "
            "GANZOO_DATA names a folder that has them elsewhere"
        ) from None
    made = decoded(folder, files, declared.fields.image.shape, Preprocessing(), part=split)
    arrays: dict[str, Any] = {"image": made.pixels}
    if labels is not None:
        arrays["label"] = torch.as_tensor(np.delete(np.asarray(labels), [*made.skipped])).long()
    return Source(declared.name, declared.fields, arrays, flips=declared.flips)


def _bytes(images: Any) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(images), dtype=torch.uint8)
