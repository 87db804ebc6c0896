"""Subfolders as classes: names, numbers, what is trained on, and a conditional model of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.data.names import absolute, completed
from ganzoo.errors import DataError
from ganzoo.plugins.host import default
from ganzoo.spec import Label

CLASSES = {"cat": 6, "Dog": 10, "red fox": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def written(folder: Path, counts: dict[str, int], first: int = 0) -> Path:
    """A subfolder for each class; its pictures are of one grey, and of a number."""
    for grey, (name, count) in enumerate(counts.items(), 1):
        (folder / name / "deeper").mkdir(parents=True)
        for number in range(first, first + count):
            picture = Picture.new("L", (16, 16), 40 * grey)
            picture.paste(number, (0, 0, 16, 8))
            place = folder / name / ("deeper" if number % 2 else "")
            picture.save(place / f"{number:03}.png")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return written(tmp_path / "photos", CLASSES)


def greys(source: ganzoo.Source) -> np.ndarray:
    """Which of the classes of `CLASSES` each picture is of, by its grey."""
    images = source.batch("image", torch.arange(len(source))).add(1).mul(127.5)
    return (images[:, 0, 15, 0] / 40).round().int().numpy() - 1


def labels(source: ganzoo.Source) -> np.ndarray:
    return source.batch("label", torch.arange(len(source))).numpy()


def test_subfolders_are_classes_by_their_names(photos: Path) -> None:
    name = f"folder:{photos}"
    label = find(name).fields.label
    # as sorted(), so that the numbers are the same on every machine
    assert label == Label(classes=3, names=("Dog", "cat", "red fox"))
    for source in (load(name), load(name, memory_limit=0)):
        assert (labels(source) == np.array([1, 0, 2])[greys(source)]).all()
        assert np.bincount(labels(source)).tolist() == [10, 6, 4]
    assert "3 classes: Dog 10, cat 6, red fox 4" in load(name).report


def test_a_picture_that_cannot_be_read_moves_no_label(photos: Path) -> None:
    (photos / "Dog" / "002.png").write_text("no picture")
    (photos / "cat" / "000.png").write_text("no picture")
    source = load(f"folder:{photos}")
    assert len(source) == 18
    assert (labels(source) == np.array([1, 0, 2])[greys(source)]).all()


def test_labels_can_be_left_out(photos: Path) -> None:
    source = load(f"folder:{photos},labels=no")
    assert [*source.fields.fields] == ["image"] and len(source) == 20
    assert "3 subfolders, not used as labels" in source.report
    with pytest.raises(DataError, match="labels must be no; leave it out for the contrary"):
        find(f"folder:{photos},labels=yes")


@pytest.mark.parametrize("only", ["cat+red fox", "CAT+2", "1+red Fox"])
def test_only_some_classes(photos: Path, only: str) -> None:
    source = load(f"folder:{photos},only={only}")
    assert source.fields.label.names == ("cat", "red fox")
    assert np.bincount(labels(source)).tolist() == [6, 4]
    assert {*greys(source)} == {0, 2}


def test_classes_that_are_not_trained_on_are_all_for_testing(photos: Path) -> None:
    name = f"folder:{photos},without=Dog"
    assert {*labels(load(name))} == {1, 2}
    assert find(name).splits == ("train",)
    name = f"{name},test=0.7"
    train, test = load(name), load(name, "test")
    assert {*labels(train)} == {1, 2} and (labels(test) == 0).sum() == 10
    assert len(train) + len(test) == 20 and {*labels(test)} > {0}
    # which of the others are for testing, no option changes
    usual = load(f"folder:{photos},test=0.7", "test")
    assert (labels(usual) != 0).sum() == (labels(test) != 0).sum()
    assert "not trained on: 'Dog', 10 pictures" in train.report


def test_normal_and_defective_pictures(tmp_path: Path) -> None:
    """What a detector of anomalies needs: it learns of normal ones, and is tested on both."""
    folder = written(tmp_path / "parts", {"good": 30, "crack": 5, "hole": 3})
    assert "learn from one of them alone: normal=good" in load(f"folder:{folder}").report
    name = f"folder:{folder},normal=good"
    train, test = load(name), load(name, "test")
    assert train.fields.label.names == ("crack", "good", "hole")
    assert {*labels(train)} == {1} and len(train) + len(test) == 38
    counts = np.bincount(labels(test))
    assert counts[0] == 5 and counts[2] == 3 and 1 <= counts[1] <= 15


def test_classes_below_train_and_test(tmp_path: Path) -> None:
    """MVTec AD's folders: defects are in the test split alone, and are classes all the same."""
    written(tmp_path / "x" / "train", {"good": 8})
    written(tmp_path / "x" / "test", {"good": 4, "broken": 3}, first=100)
    name = f"folder:{tmp_path / 'x'}"
    train, test = load(name), load(name, "test")
    assert train.fields.label.names == ("broken", "good")
    assert labels(train).tolist() == [1] * 8 and np.bincount(labels(test)).tolist() == [3, 4]
    left = load(f"{name},without=good", "test")
    assert np.bincount(labels(left)).tolist() == [3, 4]
    with pytest.raises(DataError, match="leave none for the split 'train'"):
        load(f"{name},without=good")


def test_folders_that_are_no_classes_say_so(photos: Path, tmp_path: Path) -> None:
    Picture.new("L", (16, 16)).save(photos / "alone.png")
    source = load(f"folder:{photos}")
    assert [*source.fields.fields] == ["image"]
    assert "no labels: 1 of its pictures lie beside its subfolders" in source.report
    with pytest.raises(DataError, match="only= names classes, and it has none: 1 of its pictures"):
        find(f"folder:{photos},only=cat")
    one = written(tmp_path / "one", {"photos": 3})
    assert [*load(f"folder:{one}").fields.fields] == ["image"]
    with pytest.raises(DataError, match=r"all .* lie in one subfolder, 'photos'; name that one"):
        find(f"folder:{one},without=0")
    for name, why in (
        (photos, "needed; its fields: 'image'; classes are subfolders, two or more, and 1 of its"),
        (one, "classes are subfolders, two or more, and all of its pictures lie in one"),
        (f"{one},labels=no", "labels=no leaves its classes out"),
    ):
        with pytest.raises(DataError, match=why):
            _ = find(f"folder:{name}").fields.label
    with pytest.raises(
        DataError, match="two domains are the only subfolders of a folder, 'a', 'b'"
    ):
        _ = source.fields["a"]
    with pytest.raises(DataError, match=r'has a line for each: \{"file": "1.png"'):
        _ = source.fields.text


def test_a_comma_in_the_name_of_a_class_is_told_from_an_option(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", {"1,2": 3, "cat": 3})
    with pytest.raises(
        DataError, match=r"there is .*x', and 'only=1,2' are not its options: .*number"
    ):
        find(f"folder:{folder},only=1,2")
    assert load(f"folder:{folder},only=0").fields.label.names == ("1,2",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",without=kat", r"without=kat is no class; did you mean 'cat'\? its subfolders: 'Dog'"),
        (",only=3", "only=3 is no class"),
        (",only=", "only must be names of classes, such as cat or cat.dog, not ''"),
        (",without=cat+Dog+2", "one has to be trained on"),
        (",only=cat,without=cat", "of 'cat', one has to be trained on"),
        (",normal=cat,without=Dog", "give one"),
    ],
)
def test_classes_that_are_not_there(photos: Path, options: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find(f"folder:{photos}{options}")


def test_names_with_classes_are_names(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos.parent)
    assert absolute("folder:photos,only=red fox+cat,flip") == (
        f"folder:{photos},only=red fox+cat,flip"
    )
    assert completed("folder:photos,only=red fox", (1, 16, 16)) == (
        "folder:photos,only=red fox,size=16,channels=1"
    )


def test_named_data_sets_leave_out_classes_by_name_too() -> None:
    assert find("fashion-mnist,without=sneaker+ankle boot").summary.endswith(
        "Class 7, 9 is left out of training."
    )
    assert 3 not in labels(load("digits,without=3"))
    with pytest.raises(DataError, match=r"no class 'sneakr'; did you mean 'sneaker'\?"):
        find("fashion-mnist,without=sneakr")


def test_a_conditional_model_learns_the_classes(photos: Path) -> None:
    """End to end: names of subfolders are what the model draws by."""
    source = load(f"folder:{photos}")
    spec = default().variant("cgan").parse({"width": 8}).spec(source.fields)
    *_, last = ganzoo.train(spec, source, steps=2, batch=8)
    model = last.model()
    fox, other = (model.generate(2, label=name, output="np") for name in ("red fox", "cat"))
    assert fox.shape == (2, 16, 16, 1) and not np.array_equal(fox, other)
    assert np.array_equal(fox, model.generate(2, label=2, output="np"))


def test_scores_of_a_labelled_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """AUROC, false alarms, and what was found of each class."""
    from ganzoo.cli import main

    folder = tmp_path / "parts"
    for name, make in (("good", np.zeros), ("noise", np.random.default_rng(0).random)):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            pixels = (make((28, 28)) * 255).astype(np.uint8)
            pixels[number] = 0
            Picture.fromarray(pixels).save(folder / name / f"{number}.png")
    model = Path(__file__).parents[1] / "model_cards" / "ganomaly-mnist"
    words = ["ganzoo", "score", str(model), str(folder), "--normal"]
    monkeypatch.setattr("sys.argv", [*words, "good"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert ended.value.code in (0, None) and "AUROC 1.000" in said
    assert "good (normal)" in said and "100.0%" in said
    monkeypatch.setattr("sys.argv", [*words, "god"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "did you mean 'good'" in capsys.readouterr().err


def test_the_area_under_the_curve() -> None:
    from sklearn.metrics import roc_auc_score

    from ganzoo.models.scores import auroc

    random = np.random.default_rng(0)
    normal, strange = random.integers(0, 9, 40) / 9, random.integers(3, 12, 30) / 9
    truth = np.repeat([0, 1], [40, 30])
    wanted = roc_auc_score(truth, np.concatenate([normal, strange]))
    assert auroc(normal, strange) == pytest.approx(wanted)  # with ties
