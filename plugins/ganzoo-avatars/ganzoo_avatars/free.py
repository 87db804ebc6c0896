"""A hundred sentences of other kinds than the captions, by which one asks whether a model obeys.

Other words, another order, less said: nothing is trained on them. Where all of `ALWAYS` are named,
their combination is one that is held out.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count, product

from ganzoo import Sentence

from .captions import VALUES, held_out

WORDS = {
    "hair": {
        "side-parted": "parted to the side",
        "undercut": "shaved at the sides",
        "spiky": "standing up in spikes",
        "bun": "tied up in a bun",
    },
    "beard": {
        "none": "clean-shaven",
        "moustache": "with a moustache",
        "full beard": "with a thick beard",
        "long beard": "with a very long beard",
    },
    "mouth": {
        "closed": "lips closed",
        "laughing": "laughing out loud",
        "gasping": "mouth open in surprise",
        "baring teeth": "showing the teeth",
    },
    "eyes": {
        "open": "eyes open",
        "wide": "eyes wide open",
        "closed": "eyes shut",
        "winking": "winking",
    },
    "clothes": {
        "T-shirt": "tee",
        "turtleneck": "roll-neck",
        "jacket": "jacket worn open",
        "sleeveless top": "tank top",
        "pullover": "sweater with a collar",
    },
}
"""What people call the values, too; the others are called as they are."""

PHRASINGS = (
    "{hair_colour} hair {hair}, {clothes_colour} clothes",
    "their hair is {hair_colour} and {hair}; the clothes are {clothes_colour}",
    "draw me a person whose {hair_colour} hair is {hair}, in something {clothes_colour}",
    "{clothes_colour} {clothes}, and {hair_colour} hair {hair}",
    "I want an avatar in {clothes_colour}: hair {hair_colour}, {hair}",
    "wears {clothes_colour}. hair: {hair_colour}, {hair}. {beard}.",
    "the one in the {clothes_colour} {clothes} with the {hair_colour} hair {hair}",
    "PORTRAIT, {hair_colour} HAIR {hair}, DRESSED IN {clothes_colour}",
    "somebody {beard}, hair {hair_colour} and {hair}, dressed all in {clothes_colour}",
    "{eyes}, {mouth}, {hair_colour} hair {hair}, {clothes_colour} outfit",
    "on {background}: {hair_colour} hair {hair}, {clothes_colour} {clothes}",
    "{skin} skin, {hair_colour} hair {hair}, {clothes_colour} {clothes}",
    "somebody with {hair_colour} hair",
    "a face {beard}, {skin} skin",
    "a person in {clothes_colour}",
    "{hair_colour} hair {hair}, that is all I know",
    "{hair_colour} hair, {clothes_colour} clothes",
    "somebody {beard} before {background}",
    "{mouth}, {eyes}",
    "a {clothes_colour} {clothes} and {skin} skin",
)
"""Ways to say it that are in no caption; what one does not name, it leaves open."""
EACH = 5
FIELDS = {"hair_colour": "label"}
"""The names of fields that are not those of their attributes."""


def _number(*words: object) -> int:
    """A large number that depends on the words alone, here and everywhere."""
    return int.from_bytes(sha256(repr(words).encode()).digest()[:8], "big")


def sentences() -> list[Sentence]:
    """Each of `PHRASINGS` five times, of other values every time."""
    combinations = [
        dict(zip(("hair", "hair_colour", "clothes_colour"), numbers, strict=True))
        for numbers in product(range(4), range(6), range(10))
        if held_out(*numbers)
    ]
    found: dict[str, Sentence] = {}
    for way, phrasing in enumerate(PHRASINGS):
        named = [name for name in VALUES if f"{{{name}}}" in phrasing]
        turns = count()
        while len(found) < (way + 1) * EACH:
            turn = next(turns)
            numbers = {name: _number(way, turn, name) % len(VALUES[name]) for name in VALUES}
            numbers |= combinations[_number(way, turn) % len(combinations)]
            words = {name: VALUES[name][numbers[name]] for name in named}
            words = {name: WORDS.get(name, {}).get(word, word) for name, word in words.items()}
            text = phrasing.format(**words)
            if phrasing.startswith("PORTRAIT"):
                text = text.upper()
            says = {FIELDS.get(name, name): numbers[name] for name in named}
            found.setdefault(text, Sentence(text, says))
    return [*found.values()]
