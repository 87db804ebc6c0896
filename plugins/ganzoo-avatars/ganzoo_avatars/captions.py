"""Sentences about portraits: which attributes each names, in which words, and what is held out.

Every sentence names how the hair is worn, its colour and the colour of the clothes, and up to three
more attributes. A fifth of the combinations of these three is held out of training, as the rule
`held_out` says; any two of them occur together in training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from ganzoo import GanzooError

from .drawings import DRAWINGS
from .unknown import check

ALWAYS = ("hair", "hair_colour", "clothes_colour")
SOMETIMES = ("length", "beard", "clothes", "skin", "mouth", "eyes", "background")
SAYABLE = (*ALWAYS, *SOMETIMES)
MOST = 3
"""How many of `SOMETIMES` a sentence names at most."""
NOT_SAID = "not said"
PHRASINGS = 8

_HAIR = {
    "side-parted": "side-parted {} hair",
    "undercut": "{a} undercut",
    "spiky": "spiky {} hair",
    "bun": "{} hair in a bun",
}
_PHRASES = {
    "length": {
        "short": "short at the back",
        "neck-length": "neck-length at the back",
        "long straight": "long and straight at the back",
        "long wavy": "long and wavy at the back",
    },
    "beard": {
        "none": "no beard",
        "moustache": "a moustache",
        "full beard": "a full beard",
        "long beard": "a long beard",
    },
    "mouth": {
        "closed": "a closed mouth",
        "laughing": "a laughing mouth",
        "gasping": "a gasping mouth",
        "baring teeth": "bared teeth",
    },
    "eyes": {
        "open": "open eyes",
        "wide": "wide eyes",
        "closed": "closed eyes",
        "winking": "a winking eye",
    },
}
_OTHERS = {
    "T-shirt": "T-shirt",
    "turtleneck": "turtleneck",
    "jacket": "open jacket",
    "sleeveless top": "sleeveless top",
    "pullover": "pullover over a shirt",
}


def held_out(hair: Any, hair_colour: Any, clothes_colour: Any) -> Any:
    """Whether a combination, by the numbers of its values, is for testing alone.

    Of integers it is a bool, of integers (n,) bool (n,). For each way to wear hair of each colour
    these are two of the ten colours of clothes.
    """
    return (2 * hair + hair_colour + clothes_colour) % 5 == 0


def caption(words: Mapping[str, str], phrasing: int = 0) -> str:
    """A sentence that names these attributes and no others.

    Args:
        words: by attribute the name of its value, such as `Portraits.words` gives; `ALWAYS`
            are needed, and of the others those of `SOMETIMES` may be there.
        phrasing: in [0, PHRASINGS), in which of several ways to say it.

    Raises:
        GanzooError: an attribute or a value that no sentence names, one that is missing, or no
            such phrasing.
    """
    _check(words, phrasing)
    color = words["hair_colour"]
    hair = _HAIR[words["hair"]].format(color, a=_a(color))
    said = [f"{hair} that is {_PHRASES['length'][words['length']]}" if "length" in words else hair]
    if "skin" in words:
        said.append(f"{words['skin']} skin")
    said += [_PHRASES[name][words[name]] for name in ("beard", "eyes", "mouth") if name in words]
    if phrasing >= PHRASINGS // 2:
        said.reverse()
    worn = words["clothes_colour"]
    if "clothes" in words:
        worn = f"{_a(worn)} {_OTHERS[words['clothes']]}"
    else:
        worn = f"{worn} clothes"
    ground = words.get("background", "")
    match phrasing % (PHRASINGS // 2):
        case 0:
            before = f", before {_a(ground)} wall" if ground else ""
            return f"a person dressed in {worn}, with {_listed(said)}{before}"
        case 1:
            before = f", in front of {_a(ground)} wall" if ground else ""
            return f"a portrait of someone in {worn}, with {_listed(said)}{before}"
        case 2:
            on = f" against {_a(ground)} backdrop" if ground else ""
            return f"a cartoon character who wears {worn} and has {_listed(said)}{on}"
        case _:
            on = f", on {_a(ground)} background" if ground else ""
            return f"someone with {_listed(said)} who is wearing {worn}{on}"


def _check(words: Mapping[str, str], phrasing: int) -> None:
    known = DRAWINGS["toon-head"].attributes
    for name, value in words.items():
        check(name, SAYABLE, f"no sentence names {name!r}")
        check(value, known[name].names, f"attribute {name!r} has no value {value!r}")
    missing = [name for name in ALWAYS if name not in words]
    if missing:
        raise GanzooError(f"every sentence names {', '.join(ALWAYS)}; {missing[0]!r} is missing")
    if not 0 <= phrasing < PHRASINGS:
        raise GanzooError(f"phrasing {phrasing!r} is not in [0, {PHRASINGS})")


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _listed(said: Sequence[str]) -> str:
    *most, last = said
    return f"{', '.join(most)} and {last}" if most else last


@cache
def free_sentences() -> tuple[tuple[str, Mapping[str, str]], ...]:
    """A hundred sentences in no template, each with the attributes that it asks for.

    Paraphrases, other orders, and sentences that leave out what captions always name; to measure
    with, and never to train on.
    """
    found: list[tuple[str, Mapping[str, str]]] = []
    text = files("ganzoo_avatars").joinpath("free.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            sentence, _, asked = line.partition(" | ")
            words = dict(one.split("=") for one in asked.split("; "))
            found.append((sentence, MappingProxyType(words)))
    return tuple(found)


VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: DRAWINGS["toon-head"].attributes[name].names for name in SAYABLE}
)
"""The names of the values of what sentences name."""
