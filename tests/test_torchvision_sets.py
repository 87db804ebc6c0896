"""Data sets that torchvision reads, from tiny archives in the formats of the real ones."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torchvision import datasets

from ganzoo.data import load
from ganzoo.data.catalog import DATASETS, find
from ganzoo.data.torchvision_sets import SETS
from ganzoo.errors import DataError

COUNT = 6


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No download, and files whose MD5 is not the real one's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GANZOO_OFFLINE", "1")
    for module in ("cifar", "svhn", "stl10", "celeba", "flowers102", "mnist"):
        name = f"torchvision.datasets.{module}.check_integrity"
        monkeypatch.setattr(name, lambda path, md5=None: Path(path).exists(), raising=False)


def pixels(split: str, height: int, width: int, channels: int) -> np.ndarray:
    """Pictures (n, c, h, w) that differ in every corner, and from those of the other split."""
    seed = 0 if split == "train" else 1
    shape = (COUNT, channels, height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def classes(split: str, most: int) -> np.ndarray:
    return np.random.default_rng(2 if split == "train" else 3).integers(0, most, COUNT)


def cifar(root: Path, split: str, hundred: bool) -> tuple[np.ndarray, np.ndarray]:
    folder = root / ("cifar-100-python" if hundred else "cifar-10-batches-py")
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = pixels(split, 32, 32, 3), classes(split, 100 if hundred else 10)
    kind = datasets.CIFAR100 if hundred else datasets.CIFAR10
    files = [name for name, _ in (kind.train_list if split == "train" else kind.test_list)]
    key = "fine_labels" if hundred else "labels"
    parts = zip(np.array_split(images, len(files)), np.array_split(labels, len(files)), strict=True)
    for file, (some, their) in zip(files, parts, strict=True):
        entry = {"data": some.reshape(len(some), -1), key: their.tolist()}
        (folder / file).write_bytes(pickle.dumps(entry))
    meta = {kind.meta["key"]: [f"class {n}" for n in range(100 if hundred else 10)]}
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps(meta))
    return images, labels


def svhn(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import savemat

    images, labels = pixels(split, 32, 32, 3), classes(split, 10)
    root.mkdir(parents=True, exist_ok=True)
    told = np.where(labels == 0, 10, labels)[:, None]  # zero is said as ten
    savemat(root / f"{split}_32x32.mat", {"X": images.transpose(2, 3, 1, 0), "y": told})
    return images, labels


def stl(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    folder = root / "stl10_binary"
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = pixels(split, 96, 96, 3), classes(split, 10)
    (folder / f"{split}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
    (folder / f"{split}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    for file, _ in (*datasets.STL10.train_list, *datasets.STL10.test_list):
        if not (folder / file).exists():
            (folder / file).write_bytes(b"")
    return images, labels


def idx(folder: Path, stem: str, images: np.ndarray, labels: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">IIII", 0x803, *images.shape)
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(head + images.tobytes())
    head = struct.pack(">II", 0x801, len(labels))
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(head + labels.astype(np.uint8).tobytes())


def kmnist(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = pixels(split, 28, 28, 1), classes(split, 10)
    idx(root / "KMNIST" / "raw", "train" if split == "train" else "t10k", images[:, 0], labels)
    return images, labels


def emnist(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = pixels(split, 28, 28, 1), classes(split, 47)
    lying = np.ascontiguousarray(images[:, 0].transpose(0, 2, 1))
    idx(root / "EMNIST" / "raw", f"emnist-balanced-{split}", lying, labels)
    return images, labels


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("cifar10", lambda root, split: cifar(root, split, False)),
        ("cifar100", lambda root, split: cifar(root, split, True)),
        ("svhn", svhn),
        ("stl10", stl),
        ("kmnist", kmnist),
        ("emnist", emnist),
    ],
)
def test_arrays_are_read_as_they_were_written(
    name: str, write: Callable[[Path, str], Any], tmp_path: Path
) -> None:
    wanted = {split: write(tmp_path / "data", split) for split in ("train", "test")}
    for split, (images, labels) in wanted.items():
        source = load(name, split, tmp_path / "data")
        rows = torch.arange(COUNT)
        found = source.batch("image", rows).add(1).mul(127.5).round().byte().numpy()
        assert np.array_equal(found, images), split
        assert np.array_equal(source.batch("label", rows).numpy(), labels)


def photographs(folder: Path, names: list[str]) -> list[int]:
    """Pictures of one grey, wider or higher than square."""
    folder.mkdir(parents=True, exist_ok=True)
    greys = [20 * number for number in range(len(names))]
    for grey, name in zip(greys, names, strict=True):
        size = (178, 218) if grey % 40 else (90, 70)
        Picture.new("RGB", size, (grey, grey, grey)).save(folder / name, quality=95)
    return greys


def seen(source: Any) -> list[int]:
    images = source.batch("image", torch.arange(len(source)))
    assert images.shape[1:] == (3, 64, 64)
    return images.add(1).mul(127.5).mean((1, 2, 3)).div(20).round().mul(20).int().tolist()


def test_celeba(tmp_path: Path) -> None:
    root = tmp_path / "celeba"
    names = [f"{number:06}.jpg" for number in range(1, 8)]
    greys = photographs(root / "img_align_celeba", names)
    parts = [0, 0, 1, 2, 0, 2, 0]
    (root / "list_eval_partition.txt").write_text(
        "".join(f"{name} {part}\n" for name, part in zip(names, parts, strict=True))
    )
    (root / "identity_CelebA.txt").write_text("".join(f"{name} 1\n" for name in names))
    for file, columns in (("attr", 40), ("bbox", 4), ("landmarks_align", 10)):
        head = f"{len(names)}\n{' '.join(f'c{n}' for n in range(columns))}\n"
        rows = "".join(f"{name} {' '.join(['1'] * columns)}\n" for name in names)
        (root / f"list_{file}_celeba.txt").write_text(head + rows)
    for split, part in (("train", 0), ("test", 2)):
        wanted = [grey for grey, its in zip(greys, parts, strict=True) if its == part]
        assert seen(load("celeba", split, tmp_path)) == wanted


def test_flowers(tmp_path: Path) -> None:
    from scipy.io import savemat

    root = tmp_path / "flowers-102"
    greys = photographs(root / "jpg", [f"image_{number:05}.jpg" for number in range(1, 8)])
    savemat(root / "imagelabels.mat", {"labels": np.array([[5, 1, 102, 7, 9, 3, 2]])})
    savemat(root / "setid.mat", {"trnid": [[2, 3, 5]], "valid": [[1]], "tstid": [[7, 6, 4]]})
    train, test = (load("flowers102", split, tmp_path) for split in ("train", "test"))
    assert seen(train) == [greys[1], greys[2], greys[4]] and seen(test) == [120, 100, 60]
    assert train.batch("label", torch.arange(3)).tolist() == [0, 101, 8]


def test_pets(tmp_path: Path) -> None:
    root = tmp_path / "oxford-iiit-pet"
    names = ["Abyssinian_1", "Bombay_2", "yorkshire_terrier_3", "pug_4"]
    photographs(root / "images", [f"{name}.jpg" for name in names])
    (root / "annotations").mkdir()
    (root / "annotations" / "trimaps").mkdir()
    (root / "annotations" / "trainval.txt").write_text("".join(
        f"{name} {label} 1 1\n" for name, label in zip(names[:3], (1, 8, 37), strict=True)
    ))  # fmt: skip
    (root / "annotations" / "test.txt").write_text(f"{names[3]} 26 2 1\n")
    train, test = (load("oxford-pets", split, tmp_path) for split in ("train", "test"))
    assert seen(train) == [0, 20, 40] and seen(test) == [60]
    label = find("oxford-pets").fields.label
    assert [label.names[n] for n in train.batch("label", torch.arange(3)).tolist()] == [
        "Abyssinian", "Bombay", "Yorkshire Terrier",
    ]  # fmt: skip
    assert label.names[int(test.batch("label", torch.arange(1)))] == "Pug"


def test_what_is_not_there_is_not_downloaded_offline(tmp_path: Path) -> None:
    for name in SETS:
        assert name in DATASETS
        with pytest.raises(DataError, match=rf"'{name}' is not in .*GANZOO_OFFLINE forbids"):
            load(name, root=tmp_path / name)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    cifar(tmp_path, "train", False)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-py' cannot be read .*comes from http"):
        load("cifar10", root=tmp_path)


def test_names_agree_with_torchvision() -> None:
    assert find("emnist").fields.label.names == tuple(
        datasets.EMNIST.classes_split_dict["balanced"]
    )
    assert find("cifar100").fields.label.names == tuple(sorted(find("cifar100").fields.label.names))
    assert find("kmnist").fields.label.names == tuple(datasets.KMNIST.classes)
