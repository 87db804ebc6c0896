"""Data in Python: arrays, paths, data sets of torch, as they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch.utils.data import Dataset, TensorDataset

import ganzoo
from ganzoo.data.decoding import Preprocessing
from ganzoo.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


def images(source: ganzoo.Source) -> np.ndarray:
    """Pixels (n, h, w, c) of 8 bits."""
    found = source.batch("image", torch.arange(len(source))).add(1).mul(127.5).round()
    return found.byte().numpy().transpose(0, 2, 3, 1)


def labels(source: ganzoo.Source) -> list[int]:
    return source.batch("label", torch.arange(len(source))).tolist()


class Pictures(Dataset[Any]):
    """Pairs of a picture and a class, as torchvision's data sets are."""

    def __init__(self, made: Any) -> None:
        self.made = made

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> Any:
        return self.made(PIXELS[index]), index % 3


@pytest.mark.parametrize(
    "made",
    [
        Picture.fromarray,
        lambda one: one,
        lambda one: torch.from_numpy(one).permute(2, 0, 1),
        lambda one: torch.from_numpy(one).permute(2, 0, 1).float() / 255,  # as ToTensor
    ],
    ids=["pil", "numpy", "tensor", "ToTensor"],
)
def test_a_data_set_of_torch(made: Any) -> None:
    source = ganzoo.as_source(Pictures(made), name="six")
    assert np.array_equal(images(source), PIXELS) and labels(source) == [0, 1, 2, 0, 1, 2]
    assert source.name == "six" and source.fields.label.classes == 3


def test_tensors_in_pairs() -> None:
    data = TensorDataset(torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 1, 0, 1]))
    source = ganzoo.as_source(data)
    assert source.fields.image.shape == (1, 8, 8) and labels(source) == [0, 1, 1, 0, 1]


def test_arrays() -> None:
    for array in (PIXELS, torch.from_numpy(PIXELS).permute(0, 3, 1, 2)):
        source = ganzoo.as_source(array, ["cat", "dog", "cat", "dog", "dog", "cat"])
        assert np.array_equal(images(source), PIXELS)
        assert source.fields.label.names == ("cat", "dog")
        assert labels(source) == [0, 1, 0, 1, 1, 0]
    # floats are kept as they are, and not rounded to 8 bits
    fine = np.full((2, 8, 8), 0.5001, np.float32)
    assert ganzoo.as_source(fine).batch("image", torch.arange(1)).mean() == pytest.approx(
        2e-4, abs=1e-5
    )


def test_paths(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Picture.fromarray(pixels).save(path)
    given = [str(paths[0]), *paths[1:]]
    source = ganzoo.as_source(given, labels=[0, 0, 1, 1, 2, 2], names=("a", "b", "c"))
    assert np.array_equal(images(source), PIXELS) and source.fields.label.names == ("a", "b", "c")
    padded = Preprocessing("pad")
    small = ganzoo.as_source(given, size=(8, 16), channels=1, preprocessing=padded)
    assert small.fields.image.shape == (1, 16, 8) and small.preprocessing == padded
    assert np.array_equal(images(small)[2, :, :, 0], padded.file(paths[2], (1, 16, 8))[0])


def test_pictures_of_several_sizes() -> None:
    several = [Picture.new("L", (side, side + 9), 100) for side in (20, 30, 40)]
    source = ganzoo.as_source(several)
    assert source.fields.image.shape == (1, 28, 28) and (images(source) == 100).all()


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        ([], None, "list is empty"),
        ({"x": 1}, None, "dict is a mapping"),
        (iter([1]), None, "has no length"),
        ([3], None, "an item is int, which is not a picture"),
        (["x.txt"], None, "ending that no picture file has"),
        (PIXELS, [0, 1], "differ in length"),
        (PIXELS, [0.5] * 6, "classes are whole numbers from 0, or words"),
        (PIXELS, [-1] * 6, "classes are whole numbers from 0, or words"),
        ([PIXELS[0], (PIXELS[1], 0)], None, "some items have a class and some have none"),
        (PIXELS[0, 0], None, "images are"),
    ],
)
def test_what_is_no_data(data: Any, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ganzoo.as_source(data, labels)


def test_names_have_to_fit() -> None:
    with pytest.raises(DataError, match="class 5 has no name; there are 2 names"):
        ganzoo.as_source(PIXELS, range(6), names=("a", "b"))
    with pytest.raises(DataError, match="the class 'c' is not among the names"):
        ganzoo.as_source(PIXELS, ["a", "b", "c", "a", "b", "a"], names=("a", "b"))


def test_train_takes_them() -> None:
    data = Pictures(Picture.fromarray)
    *_, last = ganzoo.train(ganzoo.variant("cgan", width=4), data, steps=1, batch=4, device="cpu")
    assert last.model().generate(1, label=2)[0].size == (16, 16)
    assert ganzoo.as_source(source := ganzoo.as_source(PIXELS)) is source
    assert len(ganzoo.as_source("digits")) == 10_000
