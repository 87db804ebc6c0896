"""1,911 emoji, each as Noto and as Twemoji draw it, on white, with names and tags in English.

The data set `emoji`: `image` and `label` are all pictures with their style; `a` (Noto) and `b`
(Twemoji) are the two domains of a translation. A fifth of the emoji is held out, and there
`a[i]` and `b[i]` are the same emoji. The emoji for training are halved: `a` is one half and
`b` the other, so that no emoji is in both and no pair can be memorized. In `emoji-paired` both
have the same emoji in training, too: all 1,541.

Similar emoji are in the same part: an emoji's skin tones, its men, women and persons, all
families, and pictures that are the same in both styles (flags of one country's islands). The part
is a hash of the `base`, so it never changes.

Noto Emoji is under Apache-2.0, Twemoji under CC-BY 4.0 and the captions of emojibase under
MIT: see ATTRIBUTION.md. `scripts/emoji.py` makes the packed files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from ganzoo import DataSet, Domains, FeatureExtractor, Fields, hookimpl
from ganzoo.spec import Image, Label

if TYPE_CHECKING:
    import numpy as np

    from ganzoo import Source

SIDE = 64
COLUMNS = 42
"""The number of emoji in a row of a sheet."""
STYLES = ("noto", "twemoji")


@dataclass(frozen=True)
class Emoji:
    """One emoji in one style.

    Args:
        file: its code points, as in the name of its file. name, tags: in English.
        group, subgroup: Unicode's, such as "Animals & Nature" and "animal-bird".
        base: the key that it shares with similar emoji.
        style: the designer.
        part: "test", or its half of the training emoji: "a" or "b".
    """

    file: str
    name: str
    tags: tuple[str, ...]
    group: str
    subgroup: str
    base: str
    style: str
    part: Literal["a", "b", "test"]

    @property
    def split(self) -> Literal["train", "test"]:
        return "test" if self.part == "test" else "train"


def part_of(base: str) -> Literal["a", "b", "test"]:
    """Two tenths of all bases are held out; four tenths are in each half for training."""
    place = int.from_bytes(hashlib.sha256(base.encode()).digest()[:4], "big") / 2**32
    return "test" if place < 0.2 else "a" if place < 0.6 else "b"


@cache
def records() -> tuple[Emoji, ...]:
    """All 3,822 pictures: those of Noto, then those of Twemoji, each in Unicode's order."""
    lines = files(__name__).joinpath("captions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple(
        Emoji(**{**row, "tags": tuple(row["tags"])}, style=style, part=part_of(row["base"]))
        for style in STYLES
        for row in rows
    )


def pixels() -> np.ndarray:
    """The pictures of `records()`, in its order: uint8 (3822, 3, 64, 64)."""
    import numpy as np
    from PIL import Image as Picture

    found: list[np.ndarray] = []
    number = len(records()) // len(STYLES)
    for style in STYLES:
        sheet = files(__name__).joinpath(f"{style}.webp")
        with sheet.open("rb") as file, Picture.open(file, formats=["WEBP"]) as picture:
            rows = np.array(picture.convert("RGB"))
        tiles = rows.reshape(-1, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3)
        found.append(tiles.reshape(-1, 3, SIDE, SIDE)[:number])
    return np.concatenate(found)


def load(declared: DataSet, split: str, roots: Any) -> Source:
    """The data set, from the files of this package."""
    import numpy as np

    from ganzoo import Source

    emoji, images = records(), pixels()

    def rows(style: str, part: str) -> np.ndarray:
        return np.array([one.style == style and one.part == part for one in emoji])

    chosen = np.array([one.split == split for one in emoji])
    parts = ("test", "test") if split == "test" else ("a", "b")
    noto, twemoji = (images[rows(s, part)] for s, part in zip(STYLES, parts, strict=True))
    styles = np.array([STYLES.index(one.style) for one in emoji])
    arrays = {"image": images[chosen], "label": styles[chosen], "a": noto, "b": twemoji}
    return Source(declared.name, declared.fields, arrays, flips=declared.flips)


def load_paired(declared: DataSet, split: str, roots: Any) -> Source:
    """The pairs of a split, from the files of this package."""
    import numpy as np

    from ganzoo import Source

    emoji, images = records(), pixels()
    arrays = {
        domain: images[np.array([one.style == style and one.split == split for one in emoji])]
        for domain, style in zip("ab", STYLES, strict=True)
    }
    return Source(declared.name, declared.fields, arrays, flips=declared.flips)


_SHAPE = (3, SIDE, SIDE)

EMOJI = DataSet(
    name="emoji",
    fields=Fields(
        name="emoji",
        fields={
            "image": Image(shape=_SHAPE),
            "label": Label(classes=2, names=("Noto", "Twemoji")),
            "a": Image(shape=_SHAPE, field="a", independent=True),
            "b": Image(shape=_SHAPE, field="b", independent=True),
        },
    ),
    summary="1,911 emoji in two styles, 64x64 colour: a is Noto, b is Twemoji.",
    size=3_082,
    licence="Noto Emoji: Apache-2.0, Google; Twemoji: CC BY 4.0, Twitter and other contributors",
    source="https://github.com/googlefonts/noto-emoji, https://github.com/jdecked/twemoji",
    load=load,
    feature_extractors=(
        FeatureExtractor(
            "classifier-emoji", "550d62efdd3b9df5a6e3f386efe58703da0b70e9e8d74cb229317fcc42430ece"
        ),
    ),
    domains=Domains("label", {"a": (0,), "b": (1,)}),
)

PAIRED = replace(
    EMOJI,
    name="emoji-paired",
    fields=Fields(
        name="emoji-paired",
        fields={domain: Image(shape=_SHAPE, field=domain) for domain in "ab"},
    ),
    summary="The same emoji in two styles, 64x64 colour: a is Noto, b is Twemoji.",
    size=1_541,
    load=load_paired,
)


@hookimpl
def ganzoo_data():
    return [EMOJI, PAIRED]
