"""Fashion-MNIST in colour, with a caption for each picture: `fashion-captions`, `fashion-colours`.

A fifth of the combinations of garment and colours is held out for testing.
"""

from functools import cache
from itertools import chain, permutations

import ganzoo
from ganzoo import DataSet, FeatureExtractor, Fields, Sentence
from ganzoo.spec import Image, Label, Text
from ganzoo_stackgan.chance import number_of

GARMENTS = (
    "t-shirt", "pair of trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
    "bag", "ankle boot",
)  # fmt: skip
COLOURS = {
    "red": (214, 39, 40),
    "orange": (255, 140, 0),
    "yellow": (255, 221, 51),
    "green": (44, 150, 60),
    "teal": (20, 150, 150),
    "blue": (31, 90, 220),
    "purple": (120, 50, 180),
    "pink": (255, 150, 190),
    "brown": (120, 72, 34),
    "black": (28, 28, 30),
    "grey": (135, 135, 135),
    "white": (245, 245, 245),
}
PHRASINGS = (
    "{a_colour} {garment} on {a_background} background",
    "a photo of {a_colour} {garment} on {a_background} background",
    "{a_colour} {garment} in front of {a_background} wall",
    "{a_colour} {garment} against {a_background} backdrop",
    "a picture of {a_colour} {garment} before {a_background} wall",
    "{a_garment} in {colour} on {a_background} background",
)
"""Phrasings for which the encoder distinguishes the colours of garment and background."""


def caption(garment: int, colour: int, background: int, phrasing: int = 0) -> str:
    """The caption for the indices of garment, its colour, and the colour of the background."""
    names = [*COLOURS]
    words = {
        "garment": GARMENTS[garment],
        "colour": names[colour],
        "background": names[background],
    }
    return PHRASINGS[phrasing].format(**words, **{f"a_{key}": _a(w) for key, w in words.items()})


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


@cache
def pairs(garment: int, split: str = "") -> tuple[tuple[int, int], ...]:
    """The pairs of colours (garment, background) of a split: a fifth is held out for testing.

    Without a split, all pairs.
    """
    everything = sorted(permutations(range(len(COLOURS)), 2), key=lambda p: number_of(garment, p))
    held_out = len(everything) // 5 if split else 0
    return tuple(everything[:held_out] if split == "test" else everything[held_out:])


@cache
def mistakes(garment: int, colour: int, background: int, split: str) -> list[list[tuple]]:
    """The combinations of the split that differ in one attribute: in garment or in a colour."""
    others = [
        [(g, colour, background) for g in range(len(GARMENTS)) if g != garment],
        [(garment, c, b) for c, b in pairs(garment) if (c == colour) != (b == background)],
    ]
    known = [[one for one in kind if one[1:] in pairs(one[0], split)] for kind in others]
    return [kind for kind in known if kind]


def _fashion(declared: DataSet, split: str, roots):
    """Coloured Fashion-MNIST; if captions are declared, without the pairs of the other split."""
    import numpy as np
    import torch

    base = ganzoo.load_data("fashion-mnist", split, roots[0] if len(roots) == 1 else None)
    garments = base.batch("label", torch.arange(len(base))).numpy()
    told = "text" in declared.fields.fields

    def chosen(among, *words):
        return among[number_of(split, *words) % len(among)]

    colours = np.array(
        [
            chosen(pairs(garment, split if told else ""), row)
            for row, garment in enumerate(garments.tolist())
        ]
    )
    shown = np.column_stack([garments, colours]).tolist()
    sentences = {}
    if told:
        phrasings = range(len(PHRASINGS))
        sentences["text"] = [
            caption(*row, phrasing=chosen(phrasings, number, "phrasing"))
            for number, row in enumerate(shown)
        ]
        sentences["mismatched"] = [
            caption(
                *chosen(chosen(mistakes(*row, split), number, "kind"), number, "mistake"),
                phrasing=chosen(phrasings, number, "another phrasing"),
            )
            for number, row in enumerate(shown)
        ]
    table = np.array([*COLOURS.values()], np.float32)
    images = np.zeros((len(base), 3, 32, 32), np.uint8)
    for first in range(0, len(base), 1000):  # in parts, since all as floats would need a gigabyte
        rows = torch.arange(first, min(first + 1000, len(base)))
        grey = np.pad(
            base.batch("image", rows).add(1).div(2).numpy(), [(0, 0), (0, 0), (2, 2), (2, 2)]
        )
        garment, background = table[colours[rows]].transpose(1, 0, 2)[..., None, None]
        # opaque but for the edges; light and shade of the photograph in the colour
        opaque = np.clip(6 * grey, 0, 1)
        lit = garment * (0.7 + 0.3 * grey) + 12 * grey
        images[rows] = np.clip(opaque * lit + (1 - opaque) * background, 0, 255).round()
    arrays = {
        "image": images,
        "label": garments,
        "colour": colours[:, 0],
        "background": colours[:, 1],
    }
    if told:
        encoder = declared.fields["text"].encoder
        embedded = ganzoo.embed([*chain(*sentences.values())], encoder, keep=True)
        arrays |= dict(zip(sentences, np.split(embedded, len(sentences)), strict=True))
    return ganzoo.Source(declared.name, declared.fields, arrays)


SYNONYMS = (
    "tee", "trousers", "sweater", "gown", "overcoat", "open summer shoe", "button-up shirt",
    "trainer", "handbag", "short boot",
)  # fmt: skip
"""Synonyms of the garments, in their order, which no caption uses."""
FREE = (
    "{garment}, {colour}, {background} behind it",
    "{background} background with {a_colour} {garment}",
    "on {background}: {a_colour} {garment}",
    "there is {a_colour} {garment} and everything around it is {background}",
    "I would like {a_colour} {garment}, photographed before something {background}",
    "{a_garment} that is {colour}, the wall behind is {background}",
    "{colour} {garment}. Background: {background}.",
    "show me {a_garment} coloured {colour} on {a_background} sheet",
    "the {garment} is {colour} and the backdrop {background}",
    "please draw {a_colour} {garment} with {background} around it",
    "{A_COLOUR} {GARMENT} ON {A_BACKGROUND} BACKGROUND",
    "{a_colour} {synonym} on {a_background} background",
    "a photo of {a_colour} {synonym} in front of {a_background} wall",
    "{a_colour} {garment}",
    "a photo of {a_colour} {garment}",
    "something {colour} to wear on {a_background} background",
    "{a_garment} on {a_background} background",
    "{a_garment}",
    "{synonym}",
    "a {background} wall, and before it {a_garment}",
)
"""Phrasings that no caption uses; attributes that one does not name are free."""


def sentences() -> list[Sentence]:
    """A hundred sentences of held-out combinations, with each phrasing of `FREE` five times."""
    names, found = [*COLOURS], list[Sentence]()
    for way, phrasing in enumerate(FREE):
        for turn in range(5):
            garment = (3 * way + 2 * turn) % len(GARMENTS)
            left = pairs(garment, "test")
            colour, background = left[number_of("free", way, turn) % len(left)]
            words = {
                "garment": GARMENTS[garment],
                "synonym": SYNONYMS[garment],
                "colour": names[colour],
                "background": names[background],
            }
            words |= {f"a_{key}": _a(word) for key, word in words.items()}
            words |= {key.upper(): word.upper() for key, word in words.items()}
            named = phrasing.lower()
            says = {
                "label": garment if "garment}" in named or "synonym}" in named else None,
                "colour": colour if "colour}" in named else None,
                "background": background if "background}" in named else None,
            }
            text = phrasing.format(**words)
            found.append(Sentence(text, {k: v for k, v in says.items() if v is not None}))
    return found


CLASSIFIER = FeatureExtractor(
    "classifier-captions", "15d646179fd2b9659697c53585e446ec56a53f3e852efe7bbfc9ed289ec2bf16"
)


def _fashion_fields(name: str, told: bool = True) -> Fields:
    names = tuple(COLOURS)
    fields = {
        "image": Image((3, 32, 32)),
        "label": Label(len(GARMENTS), names=GARMENTS),
        "colour": Label(len(names), field="colour", names=names),
        "background": Label(len(names), field="background", names=names),
    }
    if told:
        shown = (9, 3, 8, 0, 4, 7, 1, 2)
        examples = tuple(caption(garment, *pairs(garment, "test")[0]) for garment in shown)
        fields |= {"text": Text(examples=examples), "mismatched": Text(field="mismatched")}
    return Fields(fields, name)


CAPTIONS = DataSet(
    name="fashion-captions",
    fields=_fashion_fields("fashion-captions"),
    sentences=sentences,
    summary="Fashion-MNIST in twelve colours before twelve, 32x32, with a caption each; a "
    "fifth of the combinations is for testing alone.",
    size=60_000,
    licence="MIT, Zalando SE",
    source="arXiv:1708.07747",
    load=_fashion,
    feature_extractors=(CLASSIFIER,),
)
COLOURED = DataSet(
    name="fashion-colours",
    fields=_fashion_fields("fashion-colours", told=False),
    summary="The same pictures without captions, of all combinations in both splits: what "
    "the feature extractor of `fashion-captions` learns from.",
    size=60_000,
    licence="MIT, Zalando SE",
    source="arXiv:1708.07747",
    load=_fashion,
    feature_extractors=(CLASSIFIER,),
)
