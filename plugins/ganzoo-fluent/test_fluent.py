"""Fluent's emoji: whole, small, attributed, beside the same emoji of the other two houses."""

import os
from pathlib import Path

import numpy as np
import torch

import ganzoo
import ganzoo_emoji
import ganzoo_fluent
from ganzoo_fluent import STYLES, drawn, names, pixels

HERE = Path(__file__).parent


def rows(source: ganzoo.Source, field: str) -> list[bytes]:
    images = source.batch(field, torch.arange(source.length(field)))
    return [image.tobytes() for image in images.add(1).mul(127.5).round().byte().numpy()]


def test_every_emoji_is_there_once() -> None:
    images = pixels()
    assert images.shape == (len(names()), 3, 64, 64) == (1606, 3, 64, 64)
    assert images.dtype == np.uint8
    assert len(set(names())) == 1606
    assert len({image.tobytes() for image in images}) == 1606
    assert all(image.std() > 1 for image in images), "a picture is blank"
    known = {record.file: record for record in ganzoo_emoji.records()}
    flags = {"country-flag", "subdivision-flag"}
    assert not [name for name in names() if known[name].subgroup in flags]


def test_the_drawings_of_an_emoji_are_alike() -> None:
    """Rows belong together: partners are nearer to each other than strangers are."""
    _, pictures = drawn()
    small = torch.from_numpy(pictures.reshape(-1, 3, 64, 64)).float()
    small = torch.nn.functional.adaptive_avg_pool2d(small, 8).flatten(1)
    noto, twemoji, fluent = small.split(1606)
    for theirs in (noto, twemoji):
        own = (theirs - fluent).norm(dim=1).median()
        assert own < 0.7 * (theirs - fluent.roll(500, 0)).norm(dim=1).median()


def test_no_emoji_is_in_both_domains_and_in_the_test_they_are_partners() -> None:
    train, test = ganzoo.load_data("emoji-fluent"), ganzoo.load_data("emoji-fluent", "test")
    parts, pictures = drawn()
    noto = {image.tobytes(): row for row, image in enumerate(pictures[0])}
    fluent = {image.tobytes(): row for row, image in enumerate(pictures[2])}
    a, b = ([of[row] for row in rows(train, f)] for of, f in ((noto, "a"), (fluent, "b")))
    assert {parts[row] for row in a} == {"a"} and {parts[row] for row in b} == {"b"}
    held, partners = ([of[row] for row in rows(test, f)] for of, f in ((noto, "a"), (fluent, "b")))
    assert held == partners and {parts[row] for row in held} == {"test"}
    assert len(a) + len(b) + len(held) == 1606
    # what is held out is what `emoji` holds out
    of = {record.file: record.part for record in ganzoo_emoji.records()}
    assert parts == [of[name] for name in names()]


def test_labels_are_the_styles() -> None:
    parts, pictures = drawn()
    for name in ("emoji-fluent", "emoji-styles"):
        for split in ("train", "test"):
            source = ganzoo.load_data(name, split)
            number = source.fields.label.classes
            labels = source.batch("label", torch.arange(len(source))).tolist()
            assert labels == list(range(number)) * (len(source) // number)
            chosen = [
                row for row, part in enumerate(parts) if (part == "test") == (split == "test")
            ]
            assert len(source) == number * len(chosen)
            found = rows(source, "image")
            for place in (0, 1, len(found) - 1):
                style = STYLES.index(source.fields.label.names[labels[place]])
                assert found[place] == pictures[style][chosen[place // number]].tobytes()
            declared = {one.name: one for one in ganzoo_fluent.ganzoo_data()}[name]
            assert split == "test" or declared.size == len(source)


def test_it_is_small_and_says_whose_it_is(monkeypatch) -> None:
    assert (HERE / "ganzoo_fluent" / "fluent.webp").stat().st_size < 8e6
    text = (HERE / "ATTRIBUTION.md").read_text("utf-8")
    assert "Microsoft" in text and "MIT" in text
    assert "Microsoft" in (HERE / "licences" / "MIT-fluent.txt").read_text("utf-8")
    for declared in ganzoo_fluent.ganzoo_data():
        assert "Microsoft" in declared.licence
    # offline, and whatever folders there are
    monkeypatch.setitem(os.environ, "GANZOO_DATA", "/nowhere")
    assert len(ganzoo.load_data("emoji-styles", "test")) > 900
