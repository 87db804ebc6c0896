"""Emoji with captions, `emoji-captions`: the pictures are those of the plugin ganzoo-emoji."""

import ganzoo
from ganzoo import DataSet, FeatureExtractor, Fields
from ganzoo.spec import Image, Text
from ganzoo_stackgan.chance import number_of


def emoji_captions(name: str, tags: tuple[str, ...], style: str) -> tuple[str, ...]:
    """The captions of a picture: name and style; the same with two tags; without the style."""
    new = [tag for tag in tags if tag not in name] or ["emoji"]
    first = number_of(name, style) % len(new)
    two = " and ".join(dict.fromkeys((new[first], new[(first + 1) % len(new)])))
    return (f"{name}, {style} style", f"{name}, {two}, {style} style", f"a picture of {name}")


def _emoji(declared: DataSet, split: str, roots):
    import numpy as np

    try:
        import ganzoo_emoji
    except ImportError:
        raise ganzoo.GanzooError(
            "data set 'emoji-captions' takes its pictures from the plugin ganzoo-emoji: "
            "pip install ganzoo-emoji"
        ) from None
    records = ganzoo_emoji.records()
    several = 3 if split == "train" else 1  # a repeated test image counts twice
    rows = [
        (number, sentence)
        for number, record in enumerate(records)
        if record.split == split
        for sentence in emoji_captions(record.name, record.tags, record.style)[:several]
    ]
    arrays = {
        "image": ganzoo_emoji.pixels()[np.array([number for number, _ in rows])],
        "text": ganzoo.embed(
            [sentence for _, sentence in rows], declared.fields["text"].encoder, keep=True
        ),
    }
    return ganzoo.Source(declared.name, declared.fields, arrays)


EMOJI_FIELDS = Fields(
    {
        "image": Image((3, 64, 64)),
        "text": Text(
            examples=(
                "pizza, noto style",
                "red apple, noto style",
                "dog face, twemoji style",
                "basketball, noto style",
                "sunflower, noto style",
                "red heart, twemoji style",
                "police car, noto style",
                "a picture of cat face",
            )
        ),
    },
    "emoji-captions",
)

CAPTIONS = DataSet(
    name="emoji-captions",
    fields=EMOJI_FIELDS,
    summary="Emoji of two houses, 64x64, with three captions each; a fifth of the emoji is "
    "for testing alone.",
    size=9_246,
    licence="Noto Emoji: Apache-2.0, Google; Twemoji: CC BY 4.0, Twitter and contributors; "
    "names and tags: emojibase, MIT",
    source="https://github.com/googlefonts/noto-emoji and https://github.com/jdecked/twemoji",
    load=_emoji,
    feature_extractors=(
        FeatureExtractor(
            "matcher-emoji",
            "7e8333fd264230913a5ccb263e44eefdbbf5e15d1d5c8e4e499e15e66699bdc0",
        ),
    ),
)
