"""Data sets: declarations, sources, folders of pictures, and the real MNIST where it is at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.data import DATASETS, DataSet, Source, fields_of, find, load
from ganzoo.errors import DataError, UnknownNameError
from ganzoo.spec import Fields, Image, Label, Text, Vector

GANZOO_DATA = os.environ.get("GANZOO_DATA")
needs_data = pytest.mark.skipif(
    not GANZOO_DATA, reason="GANZOO_DATA names no folder with MNIST/raw and FashionMNIST/raw"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own for each test; returns where decoded folders stand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganzoo" / "decoded"


@pytest.fixture
def folder(tmp_path) -> Path:
    """Seven colour pictures of many shapes, some in a subfolder."""
    path = tmp_path / "holiday, 2024"
    (path / "sea").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(7):
        shape = (40 + 3 * number, 60 - 2 * number, 3)
        pixels = Picture.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        pixels.save(path / ("sea" if number % 2 else ".") / f"{number}.png")
    return path


def whole(source: Source, field: str = "image") -> torch.Tensor:
    return source.batch(field, torch.arange(source.length(field)))


# ------------------------------------------------------------------------------ catalogue


def test_declarations_come_without_torch(folder):
    code = f"""
import sys
from ganzoo.data import find, fields_of
import ganzoo.data.catalog, ganzoo.data.folder
assert fields_of("mnist").image.shape == (1, 28, 28)
assert find("folder:{folder}").size == 7
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_name_gets_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"'minst'; did you mean 'mnist'\? known: .*'digits'"
    ):
        find("minst")


def test_extra_data_sets_are_found_and_loaded():
    fields = Fields(name="dots", fields={"image": Image((1, 4, 4))})

    def dots(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
        pixels = np.full((3, 1, 4, 4), 255 if split == "train" else 0, np.uint8)
        return Source(declared.name, declared.fields, {"image": pixels})

    extra = {"dots": DataSet("dots", fields, "Dots.", 3, "CC0-1.0", "here", dots)}
    assert fields_of("dots", extra) == fields
    assert whole(load("dots", extra=extra)).unique().tolist() == [1.0]
    assert whole(load("dots", "test", extra=extra)).unique().tolist() == [-1.0]
    with pytest.raises(UnknownNameError, match="did you mean 'dots'"):
        find("dotz", extra)


def test_every_declaration_is_complete():
    for name, declared in DATASETS.items():
        assert declared.name == name == declared.fields.name
        assert declared.summary.endswith(".") and declared.licence and declared.source
        assert callable(declared.loader())
        label = declared.fields.fields.get("label")  # CelebA has none
        assert label is None or len(label.names) in (0, label.classes)
    for name in ("digits", "mnist", "fashion-mnist", "cifar10", "svhn", "stl10", "kmnist"):
        assert len(find(name).fields.label.names) == 10


# -------------------------------------------------------------------------- named data sets


def test_digits_are_balanced_and_in_range():
    source = load("digits")
    images, labels = whole(source), whole(source, "label")
    assert len(source) == len(images) == find("digits").size == 10_000
    assert images.dtype == torch.float32 and images.shape[1:] == (1, 28, 28)
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.dtype == torch.int64 and labels.bincount().tolist() == [1000] * 10
    # white on black, and a picture differs from class to class
    assert images.mean() < -0.5
    means = torch.stack([images[labels == digit].mean(0) for digit in range(10)])
    assert torch.pdist(means.flatten(1)).min() > 1


def test_digits_have_no_test_split():
    with pytest.raises(DataError, match="'digits' has no split 'test'; it has 'train'"):
        load("digits", "test")


@needs_data
def test_digits_are_the_first_thousand_of_each_class_of_mnist():
    digits, mnist = load("digits"), load("mnist")
    images, labels = whole(mnist), whole(mnist, "label")
    for digit in range(10):
        bundled = whole(digits)[whole(digits, "label") == digit]
        assert torch.equal(bundled, images[labels == digit][:1000])


@needs_data
def test_mnist_and_fashion_mnist():
    mnist = load("mnist")
    assert len(mnist) == find("mnist").size == 60_000
    assert whole(mnist, "label")[:5].tolist() == [5, 0, 4, 1, 9]
    test = load("mnist", "test", root=GANZOO_DATA)
    assert len(test) == 10_000 and whole(test, "label")[0] == 7
    fashion = load("fashion-mnist")
    names = fashion.fields.label.names
    assert [names[label] for label in whole(fashion, "label")[:2]] == ["ankle boot", "T-shirt/top"]


def test_what_cannot_be_downloaded_says_what_to_do(tmp_path, monkeypatch):
    for scheme in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")  # nobody answers there
    given = tmp_path / "given"
    given.mkdir()
    monkeypatch.setenv("GANZOO_DATA", str(given))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.*MNIST.raw.*--data digits"):
        load("mnist")
    assert list(given.iterdir()) == []  # GANZOO_DATA is only read


def test_broken_mnist_files_are_a_data_error(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for what in ("images-idx3", "labels-idx1"):
            (raw / f"{part}-{what}-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x09ab")
    with pytest.raises(DataError, match=r"'mnist' in .* cannot be read"):
        load("mnist", root=tmp_path)


# --------------------------------------------------------------------------------- sources


def test_bytes_become_minus_one_to_one():
    pixels = torch.tensor([0, 51, 255, 127], dtype=torch.uint8).view(4, 1, 1, 1)
    source = Source.from_arrays("dots", pixels, torch.tensor([2, 0, 1, 2]))
    images = source.batch("image", torch.tensor([2, 0, 1]))
    assert images.flatten().tolist() == pytest.approx([1, -1, -0.6])
    assert source.batch("label", torch.tensor([2, 0, 1])).tolist() == [1, 2, 0]
    assert source.fields.label.classes == 3
    images.zero_()  # a batch is the caller's own
    assert source.batch("image", torch.tensor([2])).item() == 1


def test_layouts_of_arrays():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    last = Source.from_arrays("last", pixels)
    first = Source.from_arrays("first", pixels.transpose(0, 3, 1, 2))
    floats = Source.from_arrays("floats", torch.from_numpy(pixels).movedim(3, 1) / 255)
    grey = Source.from_arrays("grey", pixels[..., 0])
    assert last.fields.image.shape == (3, 8, 6)
    assert torch.equal(whole(last), whole(first)) and torch.equal(whole(last), whole(floats))
    assert torch.equal(whole(grey), whole(last)[:, :1])
    with pytest.raises(DataError, match=r"not of shape \(8, 6\)"):
        Source.from_arrays("one", pixels[0, ..., 0])


def test_flips_mirror_only_the_chosen():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4)
    source = Source.from_arrays("pair", pixels, flips=True)
    index, plain = torch.arange(2), whole(source)
    mirrored = source.batch("image", index, flip=torch.tensor([False, True]))
    assert torch.equal(mirrored[0], plain[0])
    assert torch.equal(mirrored[1], plain[1].flip(-1)) and not torch.equal(mirrored[1], plain[1])
    with pytest.raises(DataError, match="may be flipped"):
        Source.from_arrays("fixed", pixels).batch("image", index, flip=torch.tensor([True, True]))


def test_unpaired_fields_have_their_own_lengths():
    a, b = torch.zeros(5, 1, 4, 4), torch.ones(3, 1, 4, 4)

    def fields(alone: bool) -> Fields:
        shape = (1, 4, 4)
        return Fields(fields={name: Image(shape, independent=alone) for name in "ab"})

    source = Source("two", fields(True), {"a": a, "b": b})
    assert (len(source), source.length("a"), source.length("b")) == (5, 5, 3)
    with pytest.raises(DataError, match=r"differ in length: a 5, b 3.*independent=True"):
        Source("two", fields(False), {"a": a, "b": b})


def test_texts_and_vectors_are_float32():
    fields = Fields(fields={"text": Text(4, "none"), "vector": Vector(2)})
    arrays = {"text": np.ones((3, 4)), "vector": torch.zeros(3, 2, dtype=torch.float64)}
    source = Source("words", fields, arrays)
    assert whole(source, "text").dtype == whole(source, "vector").dtype == torch.float32


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": np.zeros((2, 1, 4, 4), np.uint8)}, "'image', 'label' and brings 'image'"),
        ({"image": np.zeros((2, 1, 4, 5), np.uint8)}, r"\(samples, 1, 4, 4\).*\(2, 1, 4, 5\)"),
        ({"image": np.zeros((0, 1, 4, 4), np.uint8)}, "no samples"),
        ({"image": np.full((2, 1, 4, 4), 255.0)}, r"in \[0, 1\], these in \[255, 255\]"),
        ({"image": np.full((2, 1, 4, 4), np.nan)}, "not finite"),
        ({"image": np.zeros((2, 1, 4, 4), np.int64)}, "uint8 or float"),
        ({"label": np.array([0, 3])}, r"labels of 3 classes are in \[0, 2\], these in \[0, 3\]"),
        ({"label": np.array([0.0, 1.0])}, "labels are integers"),
    ],
)
def test_arrays_that_are_not_what_is_declared(arrays, message):
    fields = Fields(fields={"image": Image((1, 4, 4)), "label": Label(3)})
    right = {"image": np.zeros((2, 1, 4, 4), np.uint8), "label": np.array([0, 2])}
    assert len(Source("right", fields, right)) == 2
    given = arrays if "brings" in message else {**right, **arrays}
    with pytest.raises(DataError, match=message):
        Source("wrong", fields, given)


def test_a_field_that_is_not_there():
    source = Source.from_arrays("dots", np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(DataError, match="no field 'label'; it has 'image'"):
        source.batch("label", torch.arange(2))


def test_moving_keeps_the_original():
    source = Source.from_arrays("dots", np.zeros((2, 4, 4), np.uint8), np.array([0, 1]))
    moved = source.to("meta")
    assert moved.batch("image", torch.arange(2)).device.type == "meta"
    assert whole(source).device.type == source.device.type == "cpu"


# --------------------------------------------------------------------------------- folders


def test_a_folder_is_looked_at(folder):
    declared = find(f"folder:{folder}")
    assert declared.fields.image.shape == (3, 48, 48)  # the median of the shorter sides
    assert declared.fields.name == "holiday, 2024"
    assert (declared.size, declared.flips, declared.splits) == (7, False, ("train",))
    asked = find(f"folder:{folder},size=24,channels=1,flip")
    assert asked.fields.image.shape == (1, 24, 24) and asked.flips


def test_a_folder_from_disk_is_the_folder_in_memory(folder, cache):
    name = f"folder:{folder},size=20,flip"
    memory, disk = load(name), load(name, memory_limit=0)
    assert [file.suffix for file in cache.iterdir()] == [".npy"]
    assert isinstance(disk._array("image"), np.memmap)
    assert isinstance(memory._array("image"), torch.Tensor)
    index, flip = torch.tensor([6, 0, 0, 3]), torch.tensor([True, False, True, False])
    assert torch.equal(disk.batch("image", index, flip), memory.batch("image", index, flip))
    assert torch.equal(whole(disk), whole(disk.in_memory()))
    assert len(disk) == 7 and disk.flips and disk.name == name


def test_a_folder_is_decoded_once_and_again_when_it_changes(folder, cache):
    name = f"folder:{folder},size=20,channels=3"
    before = whole(load(name))
    (first,) = cache.iterdir()
    written = first.stat().st_mtime_ns
    assert torch.equal(whole(load(name)), before)
    assert first.stat().st_mtime_ns == written
    Picture.new("RGB", (30, 30), "red").save(folder / "0.png")
    after = whole(load(name))
    assert torch.equal(after[1:], before[1:]) and not torch.equal(after[0], before[0])
    assert first not in (kept := [*cache.iterdir()]) and len(kept) == 1  # the stale one has gone


def test_pictures_are_cropped_to_their_centre(tmp_path):
    wide = Picture.new("RGB", (90, 30), "red")
    wide.paste((0, 0, 255), (30, 0, 60, 30))
    (tmp_path / "in").mkdir()
    wide.save(tmp_path / "in" / "wide.png")
    (image,) = whole(load(f"folder:{tmp_path / 'in'},size=16,channels=3"))
    assert image[:, 8, 8].tolist() == [-1, -1, 1] and image[0].max() < -0.8


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("LA", 1), ("1", 1), ("RGB", 1), ("P", 3)]
)
def test_channels_follow_what_is_seen(tmp_path, mode, channels):
    square = Picture.new("RGB", (20, 20), "grey" if channels == 1 else "green")
    square.convert(mode).save(tmp_path / "square.png")
    assert find(f"folder:{tmp_path}").fields.image.shape == (channels, 16, 16)


def test_transparency_lies_on_white_or_is_kept(tmp_path):
    drawn = Picture.new("RGBA", (16, 16), (255, 0, 0, 0))
    drawn.paste((0, 0, 0, 255), (0, 0, 16, 8))
    drawn.save(tmp_path / "drawn.png")
    (flat,) = whole(load(f"folder:{tmp_path},channels=3,size=16"))
    assert flat[:, 0, 0].tolist() == [-1] * 3 and flat[:, 15, 15].tolist() == [1] * 3
    assert fields_of(f"folder:{tmp_path}").image.channels == 1  # black on white, so grey
    (kept,) = whole(load(f"folder:{tmp_path},channels=4,size=16"))
    assert kept.shape == (4, 16, 16)
    assert (kept[3, 0, 0], kept[3, 15, 15]) == (1, -1)


def test_sixteen_bits_become_eight(tmp_path):
    shades = np.full((16, 16), 65535, np.uint16)
    shades[:8] = 0x8080
    Picture.fromarray(shades).save(tmp_path / "deep.png")
    (image,) = whole(load(f"folder:{tmp_path}"))
    assert image[0, 0, 0].item() == pytest.approx(1 / 255, abs=1e-6) and image[0, 15, 0] == 1


def test_photographs_are_turned_upright(tmp_path):
    photograph = Picture.new("RGB", (64, 64), "black")
    photograph.paste((255, 255, 255), (0, 0, 64, 32))
    exif = Picture.Exif()
    exif[0x0112] = 6  # the top of the scene is at the right
    photograph.save(tmp_path / "lying.jpg", exif=exif)
    (image,) = whole(load(f"folder:{tmp_path},size=16,channels=1"))
    assert image[0, :, 12].min() > 0.9 and image[0, :, 3].max() < -0.9


def test_only_pictures_are_read_and_the_first_frame_of_an_animation(tmp_path):
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "._b.jpg").write_bytes(b"left behind by another system")
    frames = [Picture.new("L", (16, 16), shade) for shade in (0, 255)]
    frames[0].save(tmp_path / "B.GIF", save_all=True, append_images=frames[1:])
    assert whole(load(f"folder:{tmp_path}")).unique().tolist() == [-1]


def test_a_broken_picture_is_named(folder, cache):
    whole_file = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes(whole_file[: len(whole_file) // 2])
    with pytest.raises(DataError, match=r"4\.png' cannot be read .*repair or remove"):
        load(f"folder:{folder},size=16,channels=3,strict")
    assert list(cache.iterdir()) == []  # nothing half-decoded is left behind
    (folder / "4.png").write_text("no picture at all")
    with pytest.raises(DataError, match=r"4\.png' cannot be read \(no picture\)"):
        load(f"folder:{folder},strict")


def test_a_cache_that_cannot_be_written(folder, tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("a file, not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "occupied"))
    with pytest.raises(DataError, match=r"point XDG_CACHE_HOME at a folder"):
        load(f"folder:{folder}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",size=8", "size must be 16 to 512, or WIDTHxHEIGHT such as 96x64, not '8'"),
        (",size=", "size must be 16 to 512, .*, not ''"),
        (",channels=2", "channels must be 1, 3 or 4, not '2'"),
        (
            ",sise=32",
            "no option 'sise'; did you mean 'size'\\? allowed: 'background', 'captions', "
            "'channels', 'filter', 'fit', 'flip', .*'size', 'strict', 'test', 'without'",
        ),
        (",flip=yes", "flip takes no value"),
        (",size=32,size=64", "'size' twice"),
        ("/nowhere", r"there is no folder .*folder:PATH\[,size=64\]"),
    ],
)
def test_options_that_are_not_allowed(folder, options, message):
    with pytest.raises(DataError, match=message):
        find(f"folder:{folder}{options}")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"no pictures in .*'\.jpeg', '\.jpg', '\.png'"):
        find(f"folder:{tmp_path}")
    with pytest.raises(DataError, match="names no folder"):
        find("folder:")


# ---------------------------------------------------------------------- classes left out


def test_classes_are_left_out_of_training(data_root: Path) -> None:
    train, test = load("mnist,without=2+7"), load("mnist,without=2+7", "test")
    labels = train.batch("label", torch.arange(len(train)))
    assert set(labels.tolist()) == {0, 1, 3, 4, 5, 6, 8, 9}
    assert len(train) == 60_000 - 5958 - 6265 and train.name == "mnist,without=2+7"
    assert len(test) == 10_000 and len(test.batch("label", torch.arange(10_000)).unique()) == 10


def test_images_stay_with_their_labels_when_classes_go() -> None:
    whole, part = load("digits"), load("digits,without=0")
    kept = whole.batch("label", torch.arange(len(whole))).nonzero().flatten()
    assert torch.equal(part.batch("image", torch.arange(50)), whole.batch("image", kept[:50]))
    assert torch.equal(part.batch("label", torch.arange(50)), whole.batch("label", kept[:50]))


@pytest.mark.parametrize(
    "name, message",
    [
        ("digits,without=10", "classes are 0 to 9"),
        ("digits,without=0+1+2+3+4+5+6+7+8+9", "one must remain"),
        ("digits,wihtout=1", "such as digits,without=0"),
        ("digits,without=", "such as digits,without=0"),
        ("digits,without=-1", "such as digits,without=0"),
    ],
)
def test_mistakes_in_what_is_left_out(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(name)


def test_a_selection_of_a_selection_is_one_of_the_whole() -> None:
    labels = torch.arange(10)
    images = labels.to(torch.uint8).view(10, 1, 1, 1).expand(10, 1, 16, 16)
    whole = Source.from_arrays("ten", images, labels)
    odd = whole.select(torch.tensor([1, 3, 5, 7, 9]))
    some = odd.select(torch.tensor([4, 0]))
    assert (len(whole), len(odd), len(some), some.length("label")) == (10, 5, 2, 2)
    assert some.batch("label", torch.tensor([0, 1])).tolist() == [9, 1]
    pixels = some.in_memory().to("cpu").batch("image", torch.tensor([1]))
    assert pixels.mean().item() == pytest.approx(1 / 127.5 - 1)


def test_independent_fields_stay_whole_in_a_selection() -> None:
    fields = Fields(
        fields={"image": Image((1, 2, 2)), "b": Image((1, 2, 2), field="b", independent=True)}
    )
    arrays = {"image": np.zeros((6, 1, 2, 2), np.uint8), "b": np.zeros((9, 1, 2, 2), np.uint8)}
    chosen = Source("two", fields, arrays).select(torch.tensor([0, 3]))
    assert (len(chosen), chosen.length("image"), chosen.length("b")) == (2, 2, 9)
