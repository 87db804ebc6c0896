"""Splits by hashes of content: random, the same everywhere, and honest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.data import load, splits
from ganzoo.data.source import Source
from ganzoo.data.splits import content_key, file_keys, halves, held_out, train_and_test
from ganzoo.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def sorted_classes(folder: Path, classes: int = 5, each: int = 40) -> Path:
    """A subfolder for each class; class and number of each picture are its grey levels."""
    for label in range(classes):
        (folder / str(label)).mkdir(parents=True)
        for number in range(each):
            picture = Picture.new("L", (16, 16), 50 * label)
            picture.paste(number, (0, 0, 16, 8))
            picture.save(folder / str(label) / f"{number:03}.png")
    return folder


def identities(source: Source) -> list[tuple[int, int]]:
    """Class and number of each picture, in order."""
    images = source.batch("image", torch.arange(len(source))).add(1).mul(127.5).round().int()
    return [(int(image[0, 15, 0]) // 50, int(image[0, 0, 0])) for image in images]


def classes_of(source: Source) -> np.ndarray:
    return np.bincount([label for label, _ in identities(source)], minlength=5)


def test_a_key_is_the_same_on_every_machine() -> None:
    """The first 64 bits of SHA-256, whose test vector this is."""
    assert content_key(b"abc") == 0xBA7816BF8F01CFEA


def test_a_share_is_held_out() -> None:
    keys = np.array([content_key(str(n).encode()) for n in range(4000)], np.uint64)
    assert held_out(keys, 0.1).mean() == pytest.approx(0.1, abs=0.02)
    # who is held out for a tenth is held out for a fifth
    assert (held_out(keys, 0.1) <= held_out(keys, 0.2)).all()
    assert not held_out(keys, 0).any()


def test_sorted_classes_are_in_both_splits(tmp_path: Path) -> None:
    """By name, the halves had other classes."""
    name = f"folder:{sorted_classes(tmp_path / 'x')}"
    train, test, split = train_and_test(name, 10_000)
    assert split == "train" and len(train) == len(test) == 100
    assert not {*identities(train)} & {*identities(test)}
    assert classes_of(train).min() > 10 and classes_of(test).min() > 10
    # the first few are as good as any
    assert classes_of(test.select(torch.arange(40))).min() > 2


def test_a_tenth_is_never_trained_on(tmp_path: Path) -> None:
    folder = sorted_classes(tmp_path / "x")
    name = f"folder:{folder},test=0.2"
    train, test = load(name), load(name, "test")
    assert len(train) + len(test) == 200 and 20 < len(test) < 60
    seen, held = {*identities(train)}, {*identities(test)}
    assert not seen & held and classes_of(test).min() >= 3
    assert train_and_test(name, 10_000)[2] == "test"
    assert {*identities(train_and_test(name, 10_000)[1])} == held
    # names, places and company change nothing
    shutil.move(folder / "0", folder / "zero")
    shutil.move(folder / "1" / "000.png", folder / "1" / "renamed.png")
    for number in range(40):
        Picture.new("L", (16, 16), 100 + number).save(folder / f"new{number}.png")
    grown = {*identities(load(name, "test"))}
    assert held <= grown and not grown & seen


def test_subfolders_train_and_test_are_splits(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    sorted_classes(folder / "train", 3, 10)
    sorted_classes(folder / "test", 3, 4)  # the same pictures again
    for number in range(6):
        Picture.new("L", (16, 16), 200 + number).save(folder / "test" / f"{number}.png")
    (folder / "val").mkdir()
    Picture.new("L", (16, 16)).save(folder / "val" / "x.png")
    name = f"folder:{folder},size=16,channels=1"
    train, test = load(name), load(name, "test")
    assert len(test) == 18 and len(train) == 30 - 12
    assert not {*identities(train)} & {*identities(test)}
    assert "left out of training: 12 copies of test pictures" in train.report
    assert "1 picture outside of train and test" in train.report
    with pytest.raises(
        DataError, match=r"the splits already; leave test= out, or name .*train,test"
    ):
        load(f"{name},test=0.1")


def test_one_of_the_two_names_is_no_split(tmp_path: Path) -> None:
    sorted_classes(tmp_path / "x" / "test", 2, 3)
    assert len(load(f"folder:{tmp_path / 'x'}")) == 6
    with pytest.raises(DataError, match=r"no split 'test'; it has 'train'"):
        load(f"folder:{tmp_path / 'x'}", "test")


def test_a_split_without_pictures_is_an_error(tmp_path: Path) -> None:
    sorted_classes(tmp_path / "x", 1, 2)
    with pytest.raises(DataError, match=r"2 pictures leave none for the split 'test'"):
        load(f"folder:{tmp_path / 'x'},test=0.000001", "test")


def test_copies_are_on_one_side() -> None:
    ten = np.arange(10, dtype=np.uint8).repeat(4).reshape(40, 1, 1, 1)
    one, other = halves(Source.from_arrays("ten", ten), 15)
    seen, held = (set(part.batch("image", torch.arange(len(part))).flatten().tolist())
                  for part in (one, other))  # fmt: skip
    assert not seen & held and 0 < len(other) <= 15
    same = Source.from_arrays("same", np.zeros((8, 2, 2), np.uint8))
    assert [len(part) for part in halves(same, 100)] == [4, 4]


def test_arrays_are_divided_by_their_values() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4), np.uint8)
    source = Source.from_arrays("mine", images, np.arange(50) % 2)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    keys = source.keys()
    assert len({*keys.tolist()}) == 50
    assert np.array_equal(source.select(order).keys(), keys[order.numpy()])
    assert np.array_equal(source.select(order).select(order).keys(), keys[order[order].numpy()])


def test_files_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = sorted_classes(tmp_path / "x", 2, 3)
    files = sorted(folder.rglob("*.png"))
    found = file_keys(folder, files)
    assert found.tolist() == [content_key(file.read_bytes()) for file in files]
    with monkeypatch.context() as patch:
        patch.setattr(splits, "content", lambda file: pytest.fail(f"{file} was read again"))
        assert np.array_equal(file_keys(folder, files), found)
    files[0].write_bytes(b"changed")
    assert file_keys(folder, files)[0] == content_key(b"changed")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # no place for a cache
    files[1].unlink()
    assert file_keys(folder, files)[1] == 0
