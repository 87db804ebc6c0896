"""Emoji as Microsoft's Fluent draws them in three dimensions, beside Noto's and Twemoji's.

`emoji-fluent`: `a` is Noto, `b` is Fluent. The parts are those of `emoji` (plugin ganzoo-emoji): a
fifth of the emoji is held out, and there `a[i]` and `b[i]` are the same emoji; those for training
are halved, so that no emoji is in both. `emoji-styles`: all three styles with the style as
label. Flags of countries are left out, since Fluent has none.

Fluent Emoji is under MIT, Copyright (c) Microsoft Corporation; see ATTRIBUTION.md for all styles.
`scripts/fluent.py` makes the packed files.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ganzoo import DataSet, Domains, Fields, hookimpl
from ganzoo.spec import Image, Label

if TYPE_CHECKING:
    import numpy as np

    from ganzoo import Source

SIDE = 64
COLUMNS = 42
"""The number of emoji in a row of the sheet."""
STYLES = ("Noto", "Twemoji", "Fluent")


@cache
def names() -> tuple[str, ...]:
    """The files (code points) of the emoji that Fluent has, in Unicode's order."""
    return tuple(files(__name__).joinpath("files.txt").read_text("utf-8").split())


def pixels() -> np.ndarray:
    """Fluent's pictures of `names()`, in its order: uint8 (n, 3, 64, 64)."""
    import numpy as np
    from PIL import Image as Picture

    with (
        files(__name__).joinpath("fluent.webp").open("rb") as file,
        Picture.open(file, formats=["WEBP"]) as picture,
    ):
        rows = np.array(picture.convert("RGB"))
    tiles = rows.reshape(-1, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(-1, 3, SIDE, SIDE)[: len(names())]


def drawn() -> tuple[list[str], np.ndarray]:
    """The part of each emoji of `names()`, and its pictures: uint8 (3, n, 3, 64, 64), by style."""
    import numpy as np

    import ganzoo_emoji

    records, theirs = ganzoo_emoji.records(), ganzoo_emoji.pixels()
    number = len(records) // 2
    place = {record.file: row for row, record in enumerate(records[:number])}
    rows = np.array([place[name] for name in names()])
    parts = [records[row].part for row in rows]
    return parts, np.stack([theirs[rows], theirs[rows + number], pixels()])


def load(declared: DataSet, split: str, roots: Any) -> Source:
    """The data set, from the files of this package and of ganzoo-emoji."""
    import numpy as np

    from ganzoo import Source

    parts, pictures = drawn()
    part = np.array(parts)
    held_out = part == "test"
    chosen = held_out if split == "test" else ~held_out
    fields = declared.fields.fields
    styles = [STYLES.index(name) for name in declared.fields.label.names]
    # alternating, so that the first ones are of all styles
    images = pictures[styles][:, chosen].swapaxes(0, 1)
    arrays = {
        "image": images.reshape(-1, *images.shape[2:]),
        "label": np.tile(np.arange(len(styles)), len(images)),
    }
    if "a" in fields:
        noto, fluent = pictures[styles]
        arrays["a"] = noto[held_out if split == "test" else part == "a"]
        arrays["b"] = fluent[held_out if split == "test" else part == "b"]
    return Source(declared.name, declared.fields, arrays)


_SHAPE = (3, SIDE, SIDE)
_LICENCE = (
    "Fluent Emoji: MIT, Microsoft Corporation; Noto Emoji: Apache-2.0, Google; "
    "Twemoji: CC BY 4.0, Twitter and other contributors"
)
_SOURCE = "https://github.com/microsoft/fluentui-emoji, https://github.com/googlefonts/noto-emoji"


@hookimpl
def ganzoo_data():
    image = Image(_SHAPE)
    domains = {domain: Image(_SHAPE, field=domain, independent=True) for domain in "ab"}
    two = Label(2, names=("Noto", "Fluent"))
    return [
        DataSet(
            name="emoji-fluent",
            fields=Fields({"image": image, "label": two, **domains}, "emoji-fluent"),
            summary="Emoji in two styles, 64x64 colour: a is Noto, b is Fluent, shaded in three "
            "dimensions.",
            size=2_560,
            licence=_LICENCE,
            source=_SOURCE,
            load=load,
            domains=Domains("label", {"a": (0,), "b": (1,)}),
        ),
        DataSet(
            name="emoji-styles",
            fields=Fields({"image": image, "label": Label(3, names=STYLES)}, "emoji-styles"),
            summary="Emoji in three styles, 64x64 colour: Noto, Twemoji and Fluent; the label is "
            "the style.",
            size=3_840,
            licence=_LICENCE,
            source=f"{_SOURCE}, https://github.com/jdecked/twemoji",
            load=load,
        ),
    ]
