"""The data sets of portraits, as declarations; `loading` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ganzoo import DataSet, Domains, FeatureExtractor, Fields, Sentence
from ganzoo.spec import Image, Label, Text

from .captions import ALWAYS, NOT_SAID, SAYABLE, VALUES, caption, free_sentences
from .drawings import DRAWINGS

SPLITS = ("train", "validation", "test")

CREDITS = {
    "toon-head": "parts: ToonHead by Johan Melin, CC BY 4.0, remixed by DiceBear; changed: "
    "rasterised, some colours",
    "adventurer": "parts: Adventurer by Lisa Wischofsky, CC BY 4.0, remixed by DiceBear; changed: "
    "rasterised, some colours",
    "pixel-art": "parts: Pixel Art by DiceBear, CC0 1.0",
}
SOURCES = {
    "toon-head": "https://www.figma.com/community/file/1589627891082866389",
    "adventurer": "https://www.figma.com/community/file/1184595184137881796",
    "pixel-art": "https://www.figma.com/community/file/1198754108850888330",
}


HAIR_COLOUR = {"label": "hair_colour"}
CLASSIFIERS = {
    64: FeatureExtractor(
        "classifier-avatars",
        "fb07f7cb0f0227265fce8547cfcae390a8b03f960d5e5916d28ae0bd895f84aa",
        HAIR_COLOUR,
    ),
    32: FeatureExtractor(
        "classifier-avatars-32",
        "a236a2ce65442156cc7ae4a24dfb2c95bb28f0d6b3b23579145676f6f46bc19a",
        HAIR_COLOUR,
    ),
}
"""By the side of the pictures, a classifier of the attributes of the style toon-head."""


@dataclass(frozen=True)
class Pairs:
    """Two domains that differ in one attribute.

    Args:
        attribute: its name. a, b: its value in each domain.
        together: whether training pairs are partners; if not, `a` and `b` are different portraits.
    """

    attribute: str
    a: str
    b: str
    together: bool = False


@dataclass(frozen=True)
class Collection:
    """Portraits of one style in splits of fixed sizes.

    Args:
        family: the seed of the random portraits: collections of one family have the same ones.
        summary: one sentence.
        style, side: of the drawing. label: the attributes whose product is the label.
        sizes: the number of portraits by split; with pairs, the number per domain.
        pairs: the two domains; None for single portraits.
    """

    family: str
    summary: str
    style: str = "toon-head"
    side: int = 64
    label: tuple[str, ...] = ("hair_colour",)
    sizes: Mapping[str, int] = field(
        default_factory=lambda: {"train": 50_000, "validation": 5_000, "test": 10_000}
    )
    pairs: Pairs | None = None

    @property
    def rows(self) -> int:
        """The number of training pictures."""
        both = self.pairs is not None and not self.pairs.together
        return self.sizes["train"] * (2 if both else 1)

    @property
    def label_names(self) -> tuple[str, ...]:
        known = DRAWINGS[self.style].attributes
        found = ("",)
        for name in self.label:
            found = tuple(f"{one} {value}".strip() for one in found for value in known[name].names)
        return found

    def fields(self, name: str) -> Fields:
        """The fields of the data set of that name."""
        shape = (3, self.side, self.side)
        image, several = Image(shape), len(self.label) > 1
        label = Label(len(self.label_names), names=self.label_names)
        # an attribute that is the label itself is not repeated
        rest = labels(self.style, () if several else self.label)
        if self.pairs is None:
            return Fields({"image": image, "label": label, **rest}, name)
        free = not self.pairs.together
        domains = {domain: Image(shape, field=domain, independent=free) for domain in "ab"}
        if self.pairs.together:
            return Fields({**domains, **labels(self.style, (self.pairs.attribute,))}, name)
        return Fields({"image": image, "label": label, **rest, **domains}, name)

    @property
    def feature_extractors(self) -> tuple[FeatureExtractor, ...]:
        """The classifier that was trained on this style and size, if there is one."""
        if self.style != "toon-head" or self.side not in CLASSIFIERS:
            return ()
        classifier = CLASSIFIERS[self.side]
        # where the label is more than the colour of the hair, it has no class for it
        return (classifier if self.label == ("hair_colour",) else replace(classifier, fields={}),)

    @property
    def domains(self) -> Domains | None:
        """The attribute and its values in `a` and `b`; None without pairs."""
        if self.pairs is None:
            return None
        attribute = self.pairs.attribute
        values = DRAWINGS[self.style].attributes[attribute].names
        whole = self.label == (attribute,) and not self.pairs.together
        field = "label" if whole else attribute
        return Domains(
            field, {"a": (values.index(self.pairs.a),), "b": (values.index(self.pairs.b),)}
        )


def labels(style: str, without: tuple[str, ...] = ()) -> dict[str, Label]:
    """A label for each attribute of a style."""
    return {
        name: Label(len(attribute.values), field=name, names=attribute.names)
        for name, attribute in DRAWINGS[style].attributes.items()
        if name not in without
    }


_PAIRS = {"train": 10_000, "validation": 1_000, "test": 2_000}

COLLECTIONS: dict[str, Collection] = {
    "avatars": Collection(
        "avatars",
        "Portraits composited from parts, 64x64 colour; the label is the colour of the hair, and "
        "ten more attributes are fields.",
    ),
    "avatars-32": Collection("avatars", "The portraits of `avatars` at 32x32.", side=32),
    "avatars-looks": Collection(
        "avatars",
        "The portraits of `avatars`; the label is style and colour of the hair, 24 classes.",
        label=("hair", "hair_colour"),
    ),
    "avatars-adventurer": Collection(
        "avatars-adventurer",
        "Comic heads composited from parts, 64x64 colour; the label is the colour of the hair, "
        "and seven more attributes are fields.",
        style="adventurer",
    ),
    "avatars-pixel": Collection(
        "avatars-pixel",
        "Pixel-art portraits of 16x16, enlarged to 32x32; the label is the colour of the hair, "
        "and five more attributes are fields.",
        style="pixel-art",
        side=32,
    ),
    "avatars-hair": Collection(
        "avatars-hair",
        "Portraits with black hair (a) and with blond hair (b), 64x64, of different people in "
        "training; in the other splits partners differ in the colour alone.",
        sizes=_PAIRS,
        pairs=Pairs("hair_colour", "black", "blond"),
    ),
    "avatars-hair-paired": Collection(
        "avatars-hair-paired",
        "Portraits with black hair (a), and the same with blond hair (b), 64x64, in all splits.",
        sizes=_PAIRS,
        pairs=Pairs("hair_colour", "black", "blond", together=True),
    ),
    "avatars-hair-32": Collection(
        "avatars-hair",
        "The portraits of `avatars-hair` at 32x32.",
        side=32,
        sizes=_PAIRS,
        pairs=Pairs("hair_colour", "black", "blond"),
    ),
    "avatars-hair-paired-32": Collection(
        "avatars-hair-paired",
        "The portraits of `avatars-hair-paired` at 32x32.",
        side=32,
        sizes=_PAIRS,
        pairs=Pairs("hair_colour", "black", "blond", together=True),
    ),
    "avatars-beard": Collection(
        "avatars-beard",
        "Portraits without a beard (a) and with a full beard (b), 64x64, of different people in "
        "training; in the other splits partners differ in the beard alone.",
        sizes=_PAIRS,
        pairs=Pairs("beard", "none", "full beard"),
    ),
}


CAPTIONS = "avatars-captions"
SENTENCES_ALONE = "avatars-sentences"
SENTENCES = {"train": 20_000, "validation": 1_000, "test": 2_500}
PICTURES = 2
"""The number of portraits per sentence."""

EXAMPLES = (
    {"hair": "spiky", "hair_colour": "blond", "clothes_colour": "green", "background": "white"},
    {"hair": "bun", "hair_colour": "black", "clothes_colour": "white", "skin": "light"},
    {"hair": "side-parted", "hair_colour": "pink", "clothes_colour": "red", "clothes": "jacket"},
    {"hair": "undercut", "hair_colour": "grey", "clothes_colour": "blue", "beard": "full beard"},
    {"hair": "spiky", "hair_colour": "red", "clothes_colour": "white", "eyes": "closed"},
    {"hair": "bun", "hair_colour": "brown", "clothes_colour": "green", "length": "long wavy"},
    {"hair": "side-parted", "hair_colour": "blond", "clothes_colour": "black"},
    {"hair": "undercut", "hair_colour": "pink", "clothes_colour": "grey", "mouth": "laughing"},
)
"""The attributes in the sentences of sample sheets; all combinations are held out."""


def _asked() -> list[Sentence]:
    """The sentences without a template, with the classes that they request."""
    return [
        Sentence(
            text,
            {
                "label" if name == "hair_colour" else name: VALUES[name].index(value)
                for name, value in words.items()
            },
        )
        for text, words in free_sentences()
    ]


def _captioned() -> DataSet:
    shape = (3, 64, 64)
    said = {name: names if name in ALWAYS else (*names, NOT_SAID) for name, names in VALUES.items()}
    fields = {
        "image": Image(shape),
        "label": Label(len(said["hair_colour"]), names=said["hair_colour"]),
        **{
            name: Label(len(said[name]), field=name, names=said[name])
            for name in SAYABLE
            if name != "hair_colour"
        },
        "text": Text(
            examples=tuple(caption(words, number) for number, words in enumerate(EXAMPLES))
        ),
        "mismatched": Text(field="mismatched"),
    }
    return DataSet(
        name=CAPTIONS,
        fields=Fields(fields, CAPTIONS, unsaid=NOT_SAID),
        summary="Portraits, 64x64 colour, two for each sentence that names three to six of their "
        "attributes; a fifth of the combinations of hair, its colour and that of the clothes is "
        "for testing alone.",
        size=SENTENCES["train"] * PICTURES,
        licence=CREDITS["toon-head"],
        source=SOURCES["toon-head"],
        load="ganzoo_avatars.loading:load_captions",
        splits=SPLITS,
        feature_extractors=(CLASSIFIERS[64],),
        sentences=_asked,
    )


def _free() -> DataSet:
    labels = {
        name: Label(len(names) + 1, field=name, names=(*names, NOT_SAID))
        for name, names in VALUES.items()
    }
    hair = labels.pop("hair_colour")
    colour = Label(hair.classes, names=hair.names)
    fields = {"label": colour, **labels, "text": Text()}
    return DataSet(
        name=SENTENCES_ALONE,
        fields=Fields(fields, SENTENCES_ALONE),
        summary="A hundred sentences about portraits in no template, with what each asks for and "
        "without pictures: to measure with, never to train on.",
        size=0,
        licence="Apache-2.0, ganzoo",
        source="https://github.com/ganzoo/ganzoo",
        load="ganzoo_avatars.loading:load_free",
        splits=("test",),
    )


def declarations() -> list[DataSet]:
    """All data sets of this package."""
    return [
        *(
            DataSet(
                name=name,
                fields=collection.fields(name),
                summary=collection.summary,
                size=collection.rows,
                licence=CREDITS[collection.style],
                source=SOURCES[collection.style],
                load="ganzoo_avatars.loading:load",
                splits=SPLITS,
                domains=collection.domains,
                feature_extractors=collection.feature_extractors,
                live=name == "avatars-32",
            )
            for name, collection in COLLECTIONS.items()
        ),
        _captioned(),
        _free(),
    ]
