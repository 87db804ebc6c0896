"""StackGAN: pictures from sentences, in two stages; and two data sets of pictures with captions.

Zhang et al. 2016, arXiv:1612.03242. Stage 1 draws at half the size, stage 2 draws that anew at
full size, told the sentence again. Kept from the authors' first code (TensorFlow): conditioning
augmentation, the mean and log deviation of the condition coming from one layer with LeakyReLU;
2 times its KL divergence, averaged over the dimensions; a discriminator that meets real images
with their own captions, real images with another's (half the weight) and fakes (half the
weight), the sentence joining its last maps; stage 1 frozen in stage 2, which has a condition
and a discriminator of its own and residual blocks; Adam 2e-4 with beta1 0.5, batch 64.
Changed: a sentence encoder in place of the char-CNN-RNN, and behind it, wherever a network
reads a sentence, one more layer with batch norm; few channels; a little noise on what a
discriminator sees (arXiv:1610.04490), since flat colours give every painted image away; rates
that fall linearly over the second half of each stage; stage 1 in evaluation mode in stage 2,
batch norm included. Where the data has captions that do not fit (a field `mismatched`), those
are what the discriminator is to refuse; else the neighbour's image in the batch (`roll`), as in
the authors' PyTorch code. In `fashion-captions` they are wrong in one thing, every other time in
the garment: of a neighbour the colours give it away, and nothing would ask for the garment. Of
emoji with so many captions the neighbour is hardly ever the same, once in some thousands.

Four settings are not theirs, and off unless they are asked for:
- `linear`: the condition is a linear function of the sentence's vector. That vector is nearly a sum
  of its things, so that what is linear carries over to combinations that were never seen, where a
  net with a hidden layer leans on those that it knows.
- `classify`: the discriminators name all labels of the data, too, and the generators are asked for
  images of which the names are right, with this weight (TAC-GAN, arXiv:1703.06412).
- `diversity`: the weight of a term of stage 1 that is large where other noise makes the same image
  of a condition (mode seeking, arXiv:1903.05628). Without it `classify` soon does away with noise.
- `pixels`: the weight of the absolute difference to the caption's own image (arXiv:1611.07004), for
  data in which a caption has one picture. Samples of one sentence then differ little.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from itertools import chain, permutations
from math import ceil, log2

import ganzoo
from ganzoo import DataSet, FeatureExtractor, Fields, Sentence, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Conv,
    Crop,
    Decay,
    Gaussian,
    GaussianNoise,
    Image,
    Inject,
    Label,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    Residual,
    Stage,
    Tanh,
    Tap,
    Task,
    Text,
    Update,
    Upsample,
    conv_stack,
)

SOFT, RELU, NORM = LeakyReLU(0.2), ReLU(), BatchNorm()


class StackGAN(Variant):
    """Pictures from sentences, drawn small and then large (Zhang et al. 2016)."""

    name = "stackgan"

    latent: int = 64
    condition: int = 64
    reading: int = 256
    width: int = 32
    residuals: int = 2
    augment: bool = True
    kl: float = 2.0
    noise: float = 0.1
    linear: bool = False
    classify: float = 0.0
    diversity: float = 0.0
    pixels: float = 0.0
    lr: float = 2e-4
    batch: int = 64
    steps_small: int = 10_000
    steps_large: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image, text = data.image, data.text
        side = image.size // 2
        downs = max(1, round(log2(side / 8)))
        if image.shape[1] != image.shape[2] or side % 2**downs or side < 8:
            raise ganzoo.GanzooError(
                f"stackgan draws square images, 16 pixels or more, in halves of a multiple of "
                f"{2**downs}; data set {data.name!r} has {image.shape}"
            )
        small = Image((image.channels, side, side))
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), decay=Decay())
        labels = {
            field: draw
            for field, draw in data.fields.items()
            if self.classify and isinstance(draw, Label) and not draw.independent
        }
        if self.classify and not labels:
            raise ganzoo.GanzooError(
                f"classify names the labels of the data, and data set {data.name!r} has none; "
                "leave it at 0"
            )
        refused = {"wrong": data["mismatched"]} if "mismatched" in data.fields else {}

        def network(inputs, layers):
            return Network(inputs, layers, init=Gaussian(0.02))

        # whose colour is which changes a sentence's vector by a hundredth; without the norm,
        # thousands of rounds pass before anything learns of it
        read = (Linear(self.reading, bias=False), NORM)

        def condition():
            units = 2 * self.condition if self.augment else self.condition
            if self.linear:
                return network({"t": (NORM, *read)}, [Linear(units)])
            return network({"t": (*read, SOFT)}, [Linear(units), SOFT])

        def discriminator(size: Image):
            seen = [GaussianNoise(self.noise)] if self.noise else []
            maps = [*seen, *conv_stack(size, self.width, norm=NORM)]
            channels = max(layer.channels for layer in maps if isinstance(layer, Conv))
            join = [Inject("t"), Conv(channels, 1, bias=False), NORM, SOFT, Linear(1)]
            told = (*read, SOFT, Linear(2 * self.condition), SOFT)
            return network({"x": (), "t": told}, [*maps, *([Tap("maps")] if labels else []), *join])

        def stage(name: str, d: str, makers: tuple[str, str], real: str, fake: str, h: str):
            terms = {"fool": f"bce({d}({fake}, t), 1)"}
            if self.augment:
                terms["kl"] = f"{self.kl:g} * kl({h})"
            mismatch = f"{real}, wrong" if refused else f"roll({real}), t"
            pairs = {
                "real": f"bce({d}({real}, t), 1)",
                "wrong": f"0.5 * bce({d}({mismatch}), 0)",
                "fake": f"0.5 * bce({d}({fake}, t), 0)",
            }
            for field in labels:
                error = (
                    f"{self.classify:g} * cross_entropy({d}_{field}({d}.maps({{}}, t)), {field})"
                )
                pairs[field], terms[field] = error.format(real), error.format(fake)
            if self.diversity and fake == "sketch":
                terms["alike"] = (
                    f"{self.diversity:g} * l1(z, roll(z)) / (l1(sketch, G(roll(z), c)) + 1e-5)"
                )
            if self.pixels:
                terms["pixels"] = f"{self.pixels:g} * l1({fake}, {real})"
            discriminators = (d, *(f"{d}_{field}" for field in labels))
            return [Update(discriminators, pairs, adam, name=d), Update(makers, terms, adam)]

        def namers(d: str):
            return {
                f"{d}_{field}": network({"maps": ()}, [Linear(label.classes)])
                for field, label in labels.items()
            }

        noise = {"e": Normal(self.condition), "e2": Normal(self.condition)}
        return Spec(
            title="StackGAN",
            source="arXiv:1612.03242",
            draws={
                "x": image,
                "t": text,
                **refused,
                **labels,
                "z": Normal(self.latent),
                **(noise if self.augment else {}),
            },
            networks={
                "CA": condition(),
                "G": network({"z": (), "c": ()}, _drawing(small, self.width)),
                "D": discriminator(small),
                **namers("D"),
                "CA2": condition(),
                "G2": network({"image": (), "c": ()}, self._enlarge(image, downs)),
                "D2": discriminator(image),
                **namers("D2"),
            },
            let={
                "small": f"resize(x, {side})",
                "h": "CA(t)",
                "c": "reparameterize(h, e)" if self.augment else "h",
                "sketch": "G(z, c)",
                "h2": "CA2(t)",
                "c2": "reparameterize(h2, e2)" if self.augment else "h2",
                "fake": "G2(sketch, c2)",
            },
            stages=[
                Stage(
                    stage("small", "D", ("G", "CA"), "small", "sketch", "h"),
                    steps=self.steps_small,
                    name="small",
                ),
                Stage(
                    stage("large", "D2", ("G2", "CA2"), "x", "fake", "h2"),
                    steps=self.steps_large,
                    freeze=("G", "CA"),
                    name="large",
                ),
            ],
            tasks={
                "generate": "fake",
                "stage1": Task(kind="generate", output="sketch"),
                "mismatch": Task(kind="score", output="-D2(x, t)"),
            },
            batch=self.batch,
        )

    def _enlarge(self, image: Image, downs: int):
        """Down to about 8 pixels, where the condition joins; residual blocks; and up."""
        widths = [self.width * 2**power for power in range(downs + 1)]
        down = [Conv(widths[0]), RELU]
        for width in widths[1:]:
            down += [Conv(width, 4, 2, bias=False), NORM, RELU]
        joined = [Inject("c"), Conv(widths[-1], bias=False), NORM, RELU]
        block = (Conv(widths[-1], bias=False), NORM, RELU, Conv(widths[-1], bias=False), NORM)
        blocks = [Residual(block), RELU] * self.residuals
        return [*down, *joined, *blocks, *_larger([*widths[-2::-1], widths[0] // 2], image)]


def _drawing(image: Image, width: int):
    """From a vector to a map of 4 pixels, and up to the image."""
    doublings = max(1, ceil(log2(image.size / 4)))
    widths = [width * 2**power for power in reversed(range(doublings + 1))]
    start = [Linear(16 * widths[0], bias=False), Reshape((widths[0], 4, 4)), NORM, RELU]
    return [*start, *_larger(widths[1:], image)]


def _larger(widths: list[int], image: Image):
    """Twice as large for each width, and the image from what is there."""
    layers = []
    for width in widths:
        layers += [Upsample(), Conv(width, bias=False), NORM, RELU]
    return [*layers, Crop(image.size), Conv(image.channels), Tanh()]


# ------------------------------------------------------------------------- clothes in colour

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
"""Ways to say it in which the encoder keeps apart whose colour is which."""


def caption(garment: int, colour: int, background: int, phrasing: int = 0) -> str:
    """The caption of a garment of one colour before another, all by number."""
    names = [*COLOURS]
    words = {
        "garment": GARMENTS[garment],
        "colour": names[colour],
        "background": names[background],
    }
    return PHRASINGS[phrasing].format(**words, **{f"a_{key}": _a(w) for key, w in words.items()})


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _number(*words: object) -> int:
    """A large number that depends on the words alone, here and everywhere."""
    return int.from_bytes(sha256(repr(words).encode()).digest()[:8], "big")


@cache
def pairs(garment: int, split: str = "") -> tuple[tuple[int, int], ...]:
    """The pairs of colours (garment, background) of a split: a fifth is left for testing.

    Without a split, all of them.
    """
    everything = sorted(permutations(range(len(COLOURS)), 2), key=lambda p: _number(garment, p))
    held_out = len(everything) // 5 if split else 0
    return tuple(everything[:held_out] if split == "test" else everything[held_out:])


@cache
def mistakes(garment: int, colour: int, background: int, split: str) -> list[list[tuple]]:
    """What of the split differs in one thing: in the garment, and in one of the colours."""
    others = [
        [(g, colour, background) for g in range(len(GARMENTS)) if g != garment],
        [(garment, c, b) for c, b in pairs(garment) if (c == colour) != (b == background)],
    ]
    known = [[one for one in kind if one[1:] in pairs(one[0], split)] for kind in others]
    return [kind for kind in known if kind]


def _fashion(declared: DataSet, split: str, roots):
    """Fashion-MNIST painted; where sentences are declared, without the pairs of the other split."""
    import numpy as np
    import torch

    base = ganzoo.load_data("fashion-mnist", split, roots[0] if len(roots) == 1 else None)
    garments = base.batch("label", torch.arange(len(base))).numpy()
    told = "text" in declared.fields.fields

    def chosen(among, *words):
        return among[_number(split, *words) % len(among)]

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
    for first in range(0, len(base), 1000):  # in parts: as floats all would be a gigabyte
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
"""What people call the garments, too, in their order; no caption does."""
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
"""Ways to say it that are in no caption; what one does not name, it leaves open."""


def sentences() -> list[Sentence]:
    """A hundred sentences of combinations that are for testing, each way of `FREE` five times."""
    names, found = [*COLOURS], list[Sentence]()
    for way, phrasing in enumerate(FREE):
        for turn in range(5):
            garment = (3 * way + 2 * turn) % len(GARMENTS)
            left = pairs(garment, "test")
            colour, background = left[_number("free", way, turn) % len(left)]
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


# ------------------------------------------------------------------------------------ emoji


def emoji_captions(name: str, tags: tuple[str, ...], style: str) -> tuple[str, ...]:
    """What is said of one picture: its name and style; with two tags; and without the style."""
    new = [tag for tag in tags if tag not in name] or ["emoji"]
    first = _number(name, style) % len(new)
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
    several = 3 if split == "train" else 1  # an image twice among the test images counts twice
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


@hookimpl
def ganzoo_variants():
    return [StackGAN]


@hookimpl
def ganzoo_data():
    return [
        DataSet(
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
        ),
        DataSet(
            name="fashion-colours",
            fields=_fashion_fields("fashion-colours", told=False),
            summary="The same pictures without captions, of all combinations in both splits: what "
            "the feature extractor of `fashion-captions` learns from.",
            size=60_000,
            licence="MIT, Zalando SE",
            source="arXiv:1708.07747",
            load=_fashion,
            feature_extractors=(CLASSIFIER,),
        ),
        DataSet(
            name="emoji-captions",
            fields=EMOJI_FIELDS,
            summary="Emoji of two houses, 64x64, with three captions each; a fifth of the emoji is "
            "for testing alone.",
            size=9_246,
            licence="Noto Emoji: Apache-2.0, Google; Twemoji: CC BY 4.0, Twitter and contributors; "
            "names and tags: emojibase, MIT",
            source="https://github.com/googlefonts/noto-emoji and "
            "https://github.com/jdecked/twemoji",
            load=_emoji,
            feature_extractors=(
                FeatureExtractor(
                    "matcher-emoji",
                    "7e8333fd264230913a5ccb263e44eefdbbf5e15d1d5c8e4e499e15e66699bdc0",
                ),
            ),
        ),
    ]
