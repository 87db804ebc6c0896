"""The sentences of the captioned portraits, split by split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .captions import (
    ALWAYS,
    MOST,
    PHRASINGS,
    SAYABLE,
    SOMETIMES,
    VALUES,
    caption,
    held_out,
)
from .portrait import Portraits, below, draw, number_of


@dataclass(frozen=True)
class Told:
    """The sentences of a split, the attributes that they name, and their portraits.

    Args:
        portraits: one per row. sentence: the index of each portrait's sentence, int64 (n,).
        said: by attribute, whether each sentence names it, bool (sentences,).
        values: by attribute, the indices of the values for each sentence, int64 (sentences,).
        text: the sentences. mismatched: the same number, each with one attribute wrong.
    """

    portraits: Portraits
    sentence: np.ndarray
    said: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    text: tuple[str, ...]
    mismatched: tuple[str, ...]

    def labels(self) -> dict[str, np.ndarray]:
        """By attribute, the index of the value that each portrait's sentence names, int64 (n,).

        If the sentence does not name it, this is the number of values, `NOT_SAID`.
        """
        return {
            name: np.where(self.said[name], values, len(VALUES[name]))[self.sentence]
            for name, values in self.values.items()
        }


def told(
    split: str, sentences: int, pictures: int, keep: Callable[[Portraits], np.ndarray]
) -> Told:
    """Sentences of a split, with several portraits each.

    Portraits of a sentence share the attributes that it names; all others are random.

    Args:
        split: "test" has the held-out combinations, the other splits all others.
        sentences: their number. pictures: portraits per sentence; row i has sentence
            i modulo `sentences`.
        keep: returns which portraits belong to the split.
    """
    numbers = np.arange(sentences)
    family = f"avatars-captions {split}"

    def wanted(some: Portraits) -> np.ndarray:
        return held_out(*(some.attributes[name] for name in ALWAYS)) == (split == "test")

    values = draw(numbers, number_of(family), keep=wanted).attributes
    # which of SOMETIMES are named: the first few in an order of their own
    order = np.argsort(
        np.stack([below(2**32, numbers, family, "order", name) for name in SOMETIMES], 1), axis=1
    )
    place = np.argsort(order, axis=1)
    count = below(MOST + 1, numbers, family, "count")
    said = {name: np.ones(sentences, bool) for name in ALWAYS}
    said |= {name: place[:, column] < count for column, name in enumerate(SOMETIMES)}
    sentence = np.arange(sentences * pictures) % sentences
    given = {name: np.where(said[name], values[name], -1)[sentence] for name in SAYABLE}
    drawn = draw(np.arange(len(sentence)), number_of(family, "pictures"), keep=keep, given=given)
    phrasing, other = (
        below(PHRASINGS, numbers, family, what).tolist() for what in ("phrasing", "another")
    )
    text: list[str] = []
    mismatched: list[str] = []
    for number in range(sentences):
        named = {name: int(values[name][number]) for name in SAYABLE if said[name][number]}
        text.append(caption(_words(named), phrasing[number]))
        wrong = _mistaken(named, split, number)
        mismatched.append(caption(_words(wrong), other[number]))
    values = {name: values[name] for name in SAYABLE}
    return Told(drawn, sentence, said, values, tuple(text), tuple(mismatched))


def _words(named: Mapping[str, int]) -> dict[str, str]:
    return {name: VALUES[name][number] for name, number in named.items()}


def _mistaken(named: Mapping[str, int], split: str, number: int) -> dict[str, int]:
    """A copy with one value changed; in training never to a held-out combination."""
    changes = []
    for name, value in named.items():
        others = [{**named, name: other} for other in range(len(VALUES[name])) if other != value]
        if split != "test":
            others = [one for one in others if not held_out(*(one[key] for key in ALWAYS))]
        if others:
            changes.append(others)
    # each attribute as often as any other, however many values it has
    kind = changes[number_of(split, number, "which") % len(changes)]
    return kind[number_of(split, number, "value") % len(kind)]
