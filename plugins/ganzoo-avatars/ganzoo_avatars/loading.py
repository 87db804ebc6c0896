"""Makes the portraits of a data set from its declaration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganzoo
from ganzoo import DataSet, Source

from .captions import NOT_SAID, VALUES, free_sentences
from .drawings import DRAWINGS
from .portrait import PARTS, Portraits, draw, part_of
from .sets import (
    CAPTIONS,
    COLLECTIONS,
    PICTURES,
    SENTENCES,
    SPLITS,
    Collection,
)
from .told import Told, told
from .unknown import check

Keep = Callable[[Portraits], np.ndarray]


def load(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """Draw a data set; reads only files of this package, and writes none."""
    collection = COLLECTIONS[declared.name]
    some = drawn(collection, split)
    images = torch.from_numpy(some.pixels(collection.side))
    arrays: dict[str, Any] = {"image": images, "label": label(collection, some), **some.attributes}
    if collection.pairs is not None:
        arrays |= {"a": images[::2], "b": images[1::2]}
        if collection.pairs.together:
            arrays |= {name: values[::2] for name, values in some.attributes.items()}
    fields = declared.fields.fields
    return Source(declared.name, declared.fields, {name: arrays[name] for name in fields})


def load_captions(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """Draw the portraits with captions, and embed the captions; embeddings are cached."""
    some = sentences(split)
    encoder = declared.fields["text"].encoder
    embedded = ganzoo.embed([*some.text, *some.mismatched], encoder, keep=True)
    text, mismatched = np.split(embedded, 2)
    labels = some.labels()
    arrays = {
        "image": torch.from_numpy(some.portraits.pixels()),
        "label": labels.pop("hair_colour"),
        **labels,
        "text": text[some.sentence],
        "mismatched": mismatched[some.sentence],
    }
    return Source(declared.name, declared.fields, arrays)


def load_free(declared: DataSet, split: str, roots: tuple[Path, ...]) -> Source:
    """The sentences without a template, with the attributes that they request."""
    free = free_sentences()
    labels = {
        name: np.array([(*values, NOT_SAID).index(words.get(name, NOT_SAID)) for _, words in free])
        for name, values in VALUES.items()
    }
    arrays = {
        "label": labels.pop("hair_colour"),
        **labels,
        "text": ganzoo.embed([one for one, _ in free], declared.fields["text"].encoder, keep=True),
    }
    return Source(declared.name, declared.fields, arrays)


def sentences(split: str = "train") -> Told:
    """The portraits and sentences of `avatars-captions`, and the attributes that sentences name.

    Raises:
        GanzooError: there is no such split.
    """
    _check_split(split, CAPTIONS)
    return told(split, SENTENCES[split], PICTURES, belongs(split))


def drawn(collection: Collection, split: str) -> Portraits:
    """The portraits of a split, in order; with two domains, alternating between `a` and `b`."""
    index = np.arange(collection.sizes[split])

    def some(part: str, keep: Keep) -> Portraits:
        seed = int.from_bytes(f"{collection.family} {part}".encode())
        return draw(index, seed, collection.style, keep)

    pairs = collection.pairs
    if pairs is None:
        return some(split, belongs(split))
    if split == "train" and not pairs.together:
        halves = [some(f"train {half}", in_part(half)) for half in "ab"]
    else:
        halves = [some(split, belongs(split))] * 2
    changed = [
        half.changed(**{pairs.attribute: value})
        for half, value in zip(halves, (pairs.a, pairs.b), strict=True)
    ]
    # by turns, so that the first ones are of both domains
    return Portraits.joined(changed).take(np.arange(2 * len(index)).reshape(2, -1).T.ravel())


def label(collection: Collection, some: Portraits) -> np.ndarray:
    """int64 (n,): the class of each portrait, from the attributes of the label."""
    number = np.zeros(len(some), np.int64)
    for name in collection.label:
        count = len(DRAWINGS[collection.style].attributes[name].values)
        number = number * count + some.attributes[name]
    return number


def in_part(part: str) -> Keep:
    """Whether portraits are in one part."""
    number = PARTS.index(part)
    return lambda some: part_of(some) == number


def belongs(split: str) -> Keep:
    """Whether portraits may be in a split."""
    if split != "train":
        return in_part(split)
    return lambda some: part_of(some) >= PARTS.index("a")


def portraits(split: str = "train", data: str = "avatars") -> Portraits:
    """The portraits of a split, as an object with `take`, `changed`, `words` and `pixels`.

    Portrait i is `image` i of the split; with two domains, they alternate between `a` and `b`.

    Raises:
        GanzooError: there is no such data set of portraits, or it has no such split.
    """
    if data == CAPTIONS:
        return sentences(split).portraits
    collection = _known(data)
    _check_split(split, data)
    return drawn(collection, split)


def attributes(split: str = "train", data: str = "avatars") -> dict[str, np.ndarray]:
    """The attributes of the portraits of a split, as indices of their values.

    `names(data)` has the names of the values; the order is that of `portraits`.

    Returns:
        int64 (n,) for each attribute.

    Raises:
        GanzooError: there is no such data set of portraits, or it has no such split.
    """
    return dict(portraits(split, data).attributes)


def names(data: str = "avatars") -> dict[str, tuple[str, ...]]:
    """The names of the values of each attribute; GanzooError if there is no such data set."""
    style = "toon-head" if data == CAPTIONS else _known(data).style
    return {name: attribute.names for name, attribute in DRAWINGS[style].attributes.items()}


def _check_split(split: str, data: str) -> None:
    check(split, SPLITS, f"data set {data!r} has no split {split!r}")


def _known(data: str) -> Collection:
    if data not in COLLECTIONS:
        check(data, (*COLLECTIONS, CAPTIONS), f"no data set of portraits {data!r}")
    return COLLECTIONS[data]
