"""Sentences about portraits: which attributes they name, in which words, and which are held out.

Every sentence names hair style, hair colour and colour of the clothes, and up to three more
attributes. A fifth of the combinations of these three is held out of training (`held_out`); each
pair of their values occurs in training.
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
"""The most attributes of `SOMETIMES` that a sentence names."""
NOT_SAID = "not said"
FRAMES, WORDINGS = 10, 3
PHRASINGS = FRAMES * WORDINGS * 2
"""Sentences are built in ten ways, with three wordings of the hair, and in two orders."""

_HAIR = {
    "side-parted": ("side-parted {} hair", "{} hair parted at the side", "{} side-parted hair"),
    "undercut": ("{a} undercut", "{} hair in an undercut", "an undercut of {} hair"),
    "spiky": ("spiky {} hair", "{} hair in spikes", "{} spiky hair"),
    "bun": ("{} hair in a bun", "{a} bun", "{} hair tied up in a bun"),
}
_STYLE = {
    "side-parted": ("side-parted hair", "parted at the side"),
    "undercut": ("an undercut", "cut to an undercut"),
    "spiky": ("spiky hair", "spiky"),
    "bun": ("a bun", "tied up in a bun"),
}
"""The same without the colour: as a noun phrase, and as an adjective."""
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
_GARMENTS = {
    "T-shirt": "T-shirt",
    "turtleneck": "turtleneck",
    "jacket": "open jacket",
    "sleeveless top": "sleeveless top",
    "pullover": "pullover over a shirt",
}


def held_out(hair: Any, hair_colour: Any, clothes_colour: Any) -> Any:
    """Whether a combination, given by the indices of its values, is for testing only.

    Takes integers and returns a bool, or integers (n,) and returns bool (n,). For each hair style
    and hair colour, two of the ten colours of clothes are held out.
    """
    return (2 * hair + hair_colour + clothes_colour) % 5 == 0


def caption(words: Mapping[str, str], phrasing: int = 0) -> str:
    """A sentence that names exactly these attributes.

    Args:
        words: the names of values by attribute, as from `Portraits.words`; those of `ALWAYS` are
            required, those of `SOMETIMES` optional.
        phrasing: the index of the phrasing, in [0, PHRASINGS).

    Raises:
        GanzooError: an attribute or value has no words, a required one is missing, or there is no
            such phrasing.
    """
    _check(words, phrasing)
    frame, rest = phrasing % FRAMES, phrasing // FRAMES
    colour, worn = words["hair_colour"], words["clothes_colour"]
    length = f" that is {_PHRASES['length'][words['length']]}" if "length" in words else ""
    hair = _HAIR[words["hair"]][rest % WORDINGS].format(colour, a=_a(colour)) + length
    style, how = _STYLE[words["hair"]]
    others = [f"{words['skin']} skin"] if "skin" in words else []
    others += [_PHRASES[name][words[name]] for name in ("beard", "eyes", "mouth") if name in words]
    back = rest // WORDINGS
    said = [*others[::-1], hair] if back else [hair, *others]
    garment = _GARMENTS[words["clothes"]] if "clothes" in words else ""
    clothes = f"{worn} {garment or 'clothes'}"
    some = _a(clothes) if garment else clothes
    ground = words.get("background", "")

    def ground_as(text: str) -> str:
        return text.format(_a(ground)) if ground else ""

    match frame:
        case 0:
            wall = ground_as(", before {} wall")
            return f"a person dressed in {some}, with {_listed(said)}{wall}"
        case 1:
            wall = ground_as(", in front of {} wall")
            return f"a portrait of someone in {some}, with {_listed(said)}{wall}"
        case 2:
            on = ground_as(" on {} background")
            return f"a cartoon character who wears {some} and has {_listed(said)}{on}"
        case 3:
            on = ground_as(", on {} background")
            return f"someone with {_listed(said)} who is wearing {some}{on}"
        case 4:
            return ", ".join([*said, clothes, *([f"{ground} background"] if ground else [])])
        case 5:
            return ", ".join([clothes, *([f"{ground} background"] if ground else []), *said])
        case 6:
            stated = [
                f"the hair is {colour} and {how}{length.replace(' that is', ', and')}",
                f"the {garment or 'clothing'} is {worn}",
                *([f"the background is {ground}"] if ground else []),
            ]
            return ", ".join([*stated[:: -1 if back else 1], *others])
        case 7:
            on = ground_as("on {} background, ")
            return f"{on}a face with {_listed(said)}, and below it {some}"
        case 8:
            has = [*others[::-1], style + length] if back else [style + length, *others]
            wall = ground_as(" before {} wall")
            return f"{_a(colour)}-haired person in {some} who has {_listed(has)}{wall}"
        case _:
            on = ground_as(" on {} background")
            return f"{_listed(said)}, worn with {some}: a portrait{on}"


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
    """A hundred sentences without a template, each with the attributes that it requests.

    They are paraphrases, use other orders, and leave out attributes that captions always name. They
    are for evaluation, never for training.
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
"""The names of the values of the attributes in sentences."""
