"""From the name of a data set to its samples."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch

from ganzoo.data.cache import cache_dir
from ganzoo.data.catalog import DataSet, find
from ganzoo.data.source import Source
from ganzoo.errors import DataError, UnknownNameError, choices
from ganzoo.plugins.host import default

MEMORY_LIMIT = 2**30
"""The most bytes of samples kept in memory; larger sets are read from disk during training."""


def load(
    name: str,
    split: str = "train",
    root: str | Path | None = None,
    *,
    extra: Mapping[str, DataSet] | None = None,
    memory_limit: int = MEMORY_LIMIT,
) -> Source:
    """The data set of that name, on the CPU; `.to(device)` moves it.

    Args:
        name: one of `DATASETS`, of `extra`, or `folder:PATH[,size=64][,channels=3][,flip]`.
        split: `train` or `test`, where the data set has one.
        root: the folder that has its files, or gets them. By default the one in GANZOO_DATA, which
            is only read, then ganzoo's cache.
        extra: declarations beyond `DATASETS`, by name; by default those of plugins.
        memory_limit: bytes; a larger data set that is mapped from a file is not loaded.

    Raises:
        UnknownNameError: there is no such name.
        DataError: no such split, or the files are missing, broken or cannot be downloaded.
    """
    try:
        declared = find(name, default().data if extra is None else extra)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error}{default().not_loaded()}") from None
    if split not in declared.splits:
        raise DataError(
            f"data set {name!r} has no split {split!r}; it has {choices(declared.splits)}"
        )
    source = declared.loader()(declared, split, roots(root))
    return source.in_memory() if source.nbytes <= memory_limit else source


def roots(root: str | Path | None = None) -> tuple[Path, ...]:
    """The folders that are searched for data sets, in order; only the last is written to."""
    if root is not None:
        return (Path(root),)
    given = os.environ.get("GANZOO_DATA")
    return (*([Path(given)] if given else []), cache_dir() / "data")


def offline() -> bool:
    """Whether GANZOO_OFFLINE forbids all downloads."""
    return os.environ.get("GANZOO_OFFLINE", "") not in ("", "0")


def digits(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """The bundled sheet of 100 x 100 digits, 0 to 9 repeatedly."""
    from PIL import Image

    bundled = files("ganzoo.data").joinpath("digits.png")
    with bundled.open("rb") as file, Image.open(file, formats=["PNG"]) as sheet:
        pixels = np.array(sheet)
    rows, columns = (side // 28 for side in pixels.shape)
    images = pixels.reshape(rows, 28, columns, 28).swapaxes(1, 2).reshape(-1, 1, 28, 28)
    labels = torch.arange(rows * columns) % 10
    return Source(declared.name, declared.fields, {"image": images, "label": labels})


def mnist(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    return _torchvision("MNIST", declared, split, roots)


def stacked_mnist(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """Three digits of one split as the channels of an image, which each are used three times.

    The red one is the image of that row of MNIST; the others are drawn with a fixed seed. Two black
    pixels on each side pad 28 to 32.
    """
    from ganzoo.data.catalog import DATASETS

    base = mnist(DATASETS["mnist"], split, roots)
    rows = torch.arange(len(base))
    digits = base.batch("image", rows).add(1).mul(127.5).round().to(torch.uint8)[:, 0]
    labels = base.batch("label", rows)
    generator = torch.Generator().manual_seed(("train", "test").index(split))
    orders = [rows, *(torch.randperm(len(rows), generator=generator) for _ in range(2))]
    images = torch.zeros(len(rows), 3, 32, 32, dtype=torch.uint8)
    modes = torch.zeros_like(labels)
    for channel, order in enumerate(orders):
        images[:, channel, 2:30, 2:30] = digits[order]
        modes = 10 * modes + labels[order]
    return Source(declared.name, declared.fields, {"image": images, "label": modes})


def fashion_mnist(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    return _torchvision("FashionMNIST", declared, split, roots)


_IDX_FILES = tuple(
    f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")
)


def mnist_is_here(root: str | Path | None = None) -> bool:
    """Whether `mnist`, and `stacked-mnist` with it, loads without a download."""
    return any(_complete(one, "MNIST") for one in roots(root))


def _complete(root: Path, kind: str) -> bool:
    return all((root / kind / "raw" / file).is_file() for file in _IDX_FILES)


def _torchvision(kind: str, declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    from torchvision import datasets  # pyright: ignore[reportMissingTypeStubs]

    root = next((root for root in roots if _complete(root, kind)), roots[-1])
    fetched = not _complete(root, kind)
    if fetched and offline():
        raise DataError(
            f"data set {declared.name!r} is not in {choices(map(str, roots))}, and GANZOO_OFFLINE "
            "forbids to download it. Put its files there, or use --data digits, which comes with "
            "ganzoo"
        )
    try:
        loaded = getattr(datasets, kind)(root, train=split == "train", download=fetched)
        arrays = {"image": loaded.data[:, None], "label": loaded.targets}
        return Source(declared.name, declared.fields, arrays)
    # what torchvision raises for failed downloads and malformed files
    except (OSError, URLError, RuntimeError, ValueError, AssertionError, TypeError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        folder = str(root / kind / "raw")
        if fetched:
            raise DataError(
                f"data set {declared.name!r} is not in {choices(map(str, roots))} and could not be "
                f"downloaded ({reason}). Put its files ({', '.join(_IDX_FILES)}) into {folder!r}, "
                "or use --data digits, which comes with ganzoo"
            ) from None
        raise DataError(
            f"data set {declared.name!r} in {folder!r} cannot be read ({reason}); "
            "remove the folder to have it downloaded again"
        ) from None
