"""Subfolders a and b: pairs where the names are the same, and no pairs where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo.data import load
from ganzoo.data.catalog import find
from ganzoo.errors import DataError
from ganzoo.metrics.translations import _directions
from ganzoo.plugins.host import default


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def written(folder: Path, a: range, b: range, ending: str = ".png") -> Path:
    """Pictures whose grey level is their number; those of b are inverted."""
    for domain, numbers in (("a", a), ("b", b)):
        (folder / domain).mkdir(parents=True)
        for number in numbers:
            level = 255 - number if domain == "b" else number
            file = folder / domain / f"{number:03}{ending if domain == 'b' else '.png'}"
            Picture.new("L", (16, 16), level).save(file)
    return folder


def numbers(source: ganzoo.Source) -> tuple[list[int], list[int]]:
    """The numbers of the pictures of both domains, in order."""
    found = {
        field: source.batch(field, torch.arange(source.length(field)))[:, 0, 0, 0]
        .add(1).mul(127.5).round().int().tolist()
        for field in "ab"
    }  # fmt: skip
    return found["a"], [255 - level for level in found["b"]]


def test_the_same_names_are_pairs(tmp_path: Path) -> None:
    """Whatever their endings, and in every split."""
    name = f"folder:{written(tmp_path / 'x', range(40), range(40), '.bmp')}"
    fields = find(name).fields
    assert [*fields.fields] == ["a", "b"] and not fields["a"].independent
    a, b = numbers(load(name))
    assert a == b == [*range(40)]
    assert "40 pairs in 'x'" in load(name).report
    seen = list[int]()
    for split in ("train", "test"):
        a, b = numbers(load(f"{name},test=0.3", split))
        assert a == b and len(a) > 3
        seen += a
    assert sorted(seen) == [*range(40)]
    assert find(f"{name},test=0.3").partners


def test_other_names_are_no_pairs(tmp_path: Path) -> None:
    name = f"folder:{written(tmp_path / 'x', range(20), range(15, 50))},test=0.3"
    fields = find(name).fields
    assert fields["a"].independent and fields["b"].independent
    train, test = numbers(load(name)), numbers(load(name, "test"))
    assert sorted(train[0] + test[0]) == [*range(20)]
    assert sorted(train[1] + test[1]) == [*range(15, 50)]
    report = load(name).report
    assert "unpaired: " in report and "5 names are in both and 45 in only one: 'a/000'," in report
    assert not find(name).partners
    with pytest.raises(DataError, match=r"; a and b are two domains, not pairs, as 5 names .*x/a"):
        _ = fields.image
    with pytest.raises(DataError, match="two domains, and not classes"):
        _ = fields.label


def test_pairs_can_be_declined(tmp_path: Path) -> None:
    name = f"folder:{written(tmp_path / 'x', range(9), range(9))},pairs=no"
    assert find(name).fields["a"].independent and not find(name).partners


def test_a_partner_alone_is_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", range(9), range(9))
    (folder / "b" / "004.png").write_text("no picture")
    source = load(f"folder:{folder},size=16,channels=1")
    a, b = numbers(source)
    assert a == b == [0, 1, 2, 3, 5, 6, 7, 8] and "skipped 1: 004.png" in source.report


def test_domains_below_train_and_test(tmp_path: Path) -> None:
    written(tmp_path / "x" / "train", range(9), range(9))
    written(tmp_path / "x" / "test", range(7, 12), range(7, 12))
    name = f"folder:{tmp_path / 'x'}"
    assert numbers(load(name, "test")) == ([*range(7, 12)],) * 2
    # copies of test pictures are not trained on
    assert numbers(load(name)) == ([*range(7)],) * 2


def test_a_split_without_a_domain(tmp_path: Path) -> None:
    folder = written(tmp_path / "x", range(2), range(2))
    with pytest.raises(DataError, match="no picture for the split 'test' in one of the domains"):
        load(f"folder:{folder},test=0.000001", "test")


def test_unpaired_test_pictures_are_not_measured_as_pairs(tmp_path: Path) -> None:
    """Of one length, they looked like partners."""
    written(tmp_path / "x" / "train", range(9), range(20, 29))
    written(tmp_path / "x" / "test", range(9, 13), range(40, 44))
    source = load(name := f"folder:{tmp_path / 'x'}")
    spec = default().variant("discogan").parse({"width": 2}).spec(source.fields)
    *_, last = ganzoo.train(spec, source, steps=2, batch=4)

    class Evaluation:
        """What the metric asks of one."""

        model, test, split = last.model(), load(name, "test"), "test"
        declared = find(name)

    Evaluation.spec = Evaluation.model.spec  # type: ignore[attr-defined]
    assert _directions(Evaluation) == []  # type: ignore[arg-type]
    Evaluation.declared = find("folder:" + str(written(tmp_path / "y", range(4), range(4))))
    assert len(_directions(Evaluation)) == 2  # type: ignore[arg-type]
    assert np.isfinite(last.model().translate(np.zeros((1, 16, 16)), to="b", output="np")).all()
