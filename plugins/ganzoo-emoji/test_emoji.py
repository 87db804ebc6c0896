"""The emoji: whole, small, attributed, and nothing held out that hardly differs from the rest."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
import ganzoo_emoji
from ganzoo_emoji import STYLES, Emoji, pixels, records

HERE = Path(__file__).parent


def test_every_emoji_is_there_in_both_styles() -> None:
    emoji, images = records(), pixels()
    assert images.shape == (len(emoji), 3, 64, 64) == (3822, 3, 64, 64)
    assert images.dtype == np.uint8
    noto, twemoji = emoji[:1911], emoji[1911:]
    assert {one.style for one in noto} == {"noto"}
    assert {one.style for one in twemoji} == {"twemoji"}
    for one, other in zip(noto, twemoji, strict=True):
        assert (one.file, one.name, one.tags, one.part) == (
            other.file, other.name, other.tags, other.part,
        )  # fmt: skip
    assert len({one.file for one in noto}) == 1911
    assert all(image.std() > 1 for image in images), "a picture is blank"
    named = {one.name: one for one in noto}
    assert "smile" in named["grinning face"].tags
    assert named["dog face"].group == "Animals & Nature"


def test_the_two_drawings_of_an_emoji_are_alike() -> None:
    """Rows belong together: partners are nearer to each other than strangers are."""
    small = torch.from_numpy(pixels()).float()
    small = torch.nn.functional.adaptive_avg_pool2d(small, 8).flatten(1)
    noto, twemoji = small.split(1911)
    own = (noto - twemoji).norm(dim=1).median()
    assert own < 0.7 * (noto - twemoji.roll(500, 0)).norm(dim=1).median()


def test_the_files_are_those_of_the_houses(data_root: Path) -> None:
    """Packing loses nothing: a picture is the file on white."""
    from PIL import Image

    if not (data_root / "emoji").is_dir():
        pytest.skip("no single files at hand")
    emoji, images = records(), pixels()
    for index in range(0, len(emoji), 97):
        path = data_root / "emoji" / emoji[index].style / f"{emoji[index].file}.png"
        with Image.open(path) as file:
            rgba = file.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        white.alpha_composite(rgba)
        expected = np.asarray(white.convert("RGB")).transpose(2, 0, 1).astype(int)
        assert abs(images[index].astype(int) - expected).max() <= 1


def test_a_fifth_is_held_out_and_the_rest_halved() -> None:
    parts = Counter(one.part for one in records() if one.style == "noto")
    assert 0.18 < parts["test"] / 1911 < 0.22
    assert 0.38 < parts["a"] / 1911 < 0.42
    # whose part changes would make figures of today and tomorrow differ
    assert dict(parts) == {"a": 781, "b": 760, "test": 370}


def test_what_hardly_differs_stays_in_one_part() -> None:
    part = {one.name: one.part for one in records()}
    assert part["man student"] == part["woman student"] == part["student"]
    assert part["man: red hair"] == part["woman: red hair"] == part["person: red hair"]
    assert len({one.part for one in records() if one.subgroup == "family"}) == 1
    seen: dict[bytes, Emoji] = {}
    for one, image in zip(records(), pixels(), strict=True):
        same = seen.setdefault(image.tobytes(), one)
        assert same.part == one.part, (same.name, one.name)


def test_no_emoji_is_in_both_domains_and_in_the_test_they_are_partners() -> None:
    train, test = ganzoo.load_data("emoji"), ganzoo.load_data("emoji", "test")
    emoji, images = records(), pixels()

    def names(source: ganzoo.Source, field: str, style: str) -> list[str]:
        of = {
            image.tobytes(): one.base
            for one, image in zip(emoji, images, strict=True)
            if one.style == style
        }
        rows = source.batch(field, torch.arange(source.length(field)))
        return [of[row.tobytes()] for row in rows.add(1).mul(127.5).round().byte().numpy()]

    a, b = names(train, "a", "noto"), names(train, "b", "twemoji")
    held, partners = names(test, "a", "noto"), names(test, "b", "twemoji")
    assert held == partners and len(held) == 370
    assert not set(a) & set(b) and not (set(a) | set(b)) & set(held)
    assert len(train) == ganzoo_emoji.EMOJI.size == 2 * (len(a) + len(b))
    assert train.batch("label", torch.arange(len(train))).bincount().tolist() == [1541, 1541]


def test_pairs_are_pairs_in_every_split() -> None:
    emoji, images = records(), pixels()
    for split in ("train", "test"):
        source = ganzoo.load_data("emoji-paired", split)
        for field, style in (("a", "noto"), ("b", "twemoji")):
            mine = [one.style == style and one.split == split for one in emoji]
            values = source.batch(field, torch.arange(len(source)))
            found = values.add(1).mul(127.5).round().byte().numpy()
            assert np.array_equal(found, images[np.array(mine)])
        names = [[o.name for o in emoji if (o.style, o.split) == (s, split)] for s in STYLES]
        assert names[0] == names[1]
    assert len(ganzoo.load_data("emoji-paired")) == ganzoo_emoji.PAIRED.size
    # partners are drawn together, which pix2pix needs
    assert not any(draw.independent for draw in ganzoo_emoji.PAIRED.fields.fields.values())


def test_it_is_small_and_says_whose_it_is(monkeypatch) -> None:
    files = [*(HERE / "ganzoo_emoji").glob("*.webp"), HERE / "ganzoo_emoji" / "captions.jsonl"]
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) < 12e6
    text = (HERE / "ATTRIBUTION.md").read_text("utf-8")
    for words in ("CC-BY 4.0", "Apache-2.0", "MIT", "Twitter", "Google", "Miles Johnson"):
        assert words in text
    for name in ("APACHE-2.0", "CC-BY-4.0", "MIT-emojibase"):
        assert f"licences/{name}.txt" in text
        assert (HERE / "licences" / f"{name}.txt").stat().st_size > 1000
    assert "CC BY 4.0" in ganzoo_emoji.EMOJI.licence
    # offline, and whatever folders there are
    monkeypatch.setitem(os.environ, "GANZOO_DATA", "/nowhere")
    assert len(ganzoo.load_data("emoji", "test")) == 740
    lines = (HERE / "ganzoo_emoji" / "captions.jsonl").read_text("utf-8").splitlines()
    assert all(set(json.loads(line)) >= {"file", "name", "tags", "base"} for line in lines)
