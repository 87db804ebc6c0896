"""DiscoGAN: translation between two corresponding domains, without pairs.

Kim et al. 2017, arXiv:1703.05192, the authors' image_translation.py. Kept: generators that go
down to a map of 4x4 and up again, batch norm in all but the first and last layers, no biases;
generators' losses (1 - r) * (0.1 * adversarial + 0.9 * feature matching) + r * reconstruction
in both directions, r = 0.01 at first and 0.5 later (the paper knows neither the features nor
the schedule; `features=0` is the paper's loss); features are the means over the batch after
all activations but the first; of three rounds one is the discriminators', two are the
generators'; Adam 2e-4 with betas (0.5, 0.999) and L2 of 1e-5, batch 64. Changed: images in
[-1, 1] and tanh in place of [0, 1] and a sigmoid, 32 channels in the first layer in place of
64, fewer rounds with a third of them at the first r, and a moving average of the generators is
published.

Much public code compares the translation of `a` with the `b` of the same row, pixel by pixel. Here
`a` and `b` are drawn independently, and only the terms on means of features use both.

`code` is the authors' generator with a bottleneck, for the angles of cars and faces: the number of
units between encoder and decoder, 100 in their code. It can move objects further, but keeps fewer
details.

The other settings are not the authors', and off by default:
- `skip`: a U-net (arXiv:1505.04597), whose output is added to the image and clipped to the range of
  images. Such a generator starts close to the identity and learns what to change, which suits two
  styles of the same drawing, but not objects that move. It has instance norm (arXiv:1607.08022),
  and upsampling with convolutions instead of transposed convolutions, which leave a grid.
- `patches`: discriminators score patches and not the whole image (arXiv:1611.07004), since strokes
  and shades make a style. They have layer norm (arXiv:1607.06450): batch norm, computed separately
  for real and for generated images, hides what generated images have in common.
- `discriminator_width`: the channels of the discriminators' first layer; 0: as the generators'.
- `noise`: noise on the discriminators' input in training, since flat colours would otherwise give
  every generated image away (arXiv:1610.04490).
- `identity`: the weight of the identity loss on images of the target domain (arXiv:1703.10593).
- `decay`: the rate decays to 0 over the last third of all rounds.

Its data sets have two fields of images, `a` and `b`, which are pairs, row by row, in the test
split. One such data set is `mnist-outlines`: digits, and the outlines of others, dark on light. The
correct translation is known exactly, and stays close to the original position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ganzoo import (
    DataSet,
    Domains,
    FeatureExtractor,
    Fields,
    GanzooError,
    Spec,
    Variant,
    hookimpl,
)
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Conv,
    Crop,
    Decay,
    Deconv,
    GaussianNoise,
    Image,
    InstanceNorm,
    Label,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Network,
    ReLU,
    Reshape,
    Residual,
    Skip,
    Stage,
    Tanh,
    Tap,
    Task,
    Update,
    Upsample,
)

if TYPE_CHECKING:
    from ganzoo import Source

LEAKY = LeakyReLU(0.2)


def sides(image: Image) -> list[int]:
    """The sides of the maps, halved from the image's down to 3 or 4 pixels."""
    found = [image.size]
    while found[-1] > 4:
        found.append(-(-found[-1] // 2))
    return found


def halved(image: Image, patches: bool) -> list[int]:
    """The sides of the maps that a discriminator halves, down to 3 or 4 pixels, or twice that."""
    maps = sides(image)[:-1]
    return maps[:-1] or maps if patches else maps


def matched(image: Image, patches: bool) -> list[int]:
    """The levels of a discriminator whose features are compared: all but the first."""
    return [*range(1, len(halved(image, patches)))] or [0]


def halve(channels: int, side: int, norm: Layer | None) -> list[Layer]:
    """From a map of `side` pixels to one of half as many, rounded up."""
    conv = Conv(channels, 4, 2, padding=1 + side % 2, bias=False)
    return [conv, norm, LEAKY] if norm else [conv, LEAKY]


def generator(image: Image, width: int, code: int, skip: bool) -> Network:
    """From image to image: down to a small map, optionally to `code` numbers, and up again."""
    maps = sides(image)
    last, side = len(maps) - 2, maps[-1]
    norm = InstanceNorm(affine=True) if skip else BatchNorm()

    def around(level: int) -> list[Layer]:
        """From the map of a level down through all smaller ones, and up again."""
        out = width * 2 ** (level - 1) if level else image.channels
        inner = around(level + 1) if level < last else []
        if level == last and code:
            inner = [Linear(code, bias=False), BatchNorm(), LEAKY]
            inner += [Linear(width * 2**level * side * side, bias=False)]
            inner += [Reshape((width * 2**level, side, side)), BatchNorm(), ReLU()]
        return [
            *halve(width * 2**level, maps[level], norm if level else None),
            *([Skip(tuple(inner))] if skip and inner else inner),
            *([Upsample(), Conv(out, bias=False)] if skip else [Deconv(out, 4, 2, bias=False)]),
            *([Crop(maps[level])] if maps[level] % 2 else []),
            *([norm, ReLU()] if level else []),
        ]

    return Network({"image": ()}, [Residual(tuple(around(0)))] if skip else [*around(0), Tanh()])


def discriminator(image: Image, width: int, noise: float, patches: bool) -> Network:
    layers: list[Layer] = [GaussianNoise(noise)] if noise else []
    norm = LayerNorm() if patches else BatchNorm()
    for level, side in enumerate(halved(image, patches)):
        layers += halve(width * 2**level, side, norm if level else None)
        layers += [Tap(f"level{level}")] if level in matched(image, patches) else []
    return Network({"image": ()}, [*layers, Conv(1) if patches else Linear(1, bias=False)])


class DiscoGAN(Variant):
    """Translation between two domains without pairs (Kim et al. 2017)."""

    name = "discogan"
    renamed: ClassVar[dict[str, str]] = {"judges": "discriminator_width"}

    width: int = 32
    code: int = 0
    skip: bool = False
    noise: float = 0.0
    patches: bool = False
    discriminator_width: int = 0
    cycle: Literal["both", "one", "none"] = "both"
    features: float = 0.9
    identity: float = 0.0
    start: float = 0.01
    rate: float = 0.5
    lr: float = 2e-4
    decay: bool = False
    batch: int = 64
    steps: int = 9_000

    def spec(self, data: Fields) -> Spec:
        a, b = data["a"], data["b"]
        if a.shape != b.shape and (self.skip or self.identity):
            why = "skip adds to the image" if self.skip else "identity passes b to AB"
            raise GanzooError(
                f"{why}, so a and b must be of one shape; data set {data.name!r} has {a.shape} "
                f"and {b.shape}"
            )
        matching = " + ".join(
            f"feature_matching({d}.level{level}({real}), {d}.level{level}({fake}))"
            for d, real, fake in (("DA", "a", "ba"), ("DB", "b", "ab"))
            for level in matched(a, self.patches)
        )
        back = {"both": "mse(aba, a) + mse(bab, b)", "one": "mse(aba, a)", "none": ""}[self.cycle]
        same = "l1(AB(b), b) + l1(BA(a), a)"
        made = {"ab": "AB(a)", "ba": "BA(b)", "aba": "BA(ab)", "bab": "AB(ba)"}
        # the sum may leave [-1, 1], the range of the data
        lets = {
            name: f"1 - relu(2 - relu(1 + {text}))" if self.skip else text
            for name, text in made.items()
        }

        falling = Decay() if self.decay else None

        def stage(name: str, steps: int, r: float, decay: Decay | None) -> Stage:
            fool, match = (1 - self.features) * (1 - r), self.features * (1 - r)
            terms = {"adversarial": f"{fool:.6g} * (bce(DA(ba), 1) + bce(DB(ab), 1))"}
            if match:
                terms["features"] = f"{match:.6g} * ({matching})"
            if self.identity:
                terms["identity"] = f"{self.identity:.6g} * ({same})"
            if back:
                terms["reconstruction"] = f"{r:.6g} * ({back})"
            verdicts = {
                "real": "0.5 * (bce(DA(a), 1) + bce(DB(b), 1))",
                "fake": "0.5 * (bce(DA(ba), 0) + bce(DB(ab), 0))",
            }
            adam = Adam(self.lr, (0.5, 0.999), weight_decay=1e-5, decay=decay)
            discriminators = Update(("DA", "DB"), verdicts, adam, every=3, on=(0,), name="D")
            makers = Update(("AB", "BA"), terms, adam, every=3, on=(1, 2), name="G")
            return Stage([discriminators, makers], steps, name=name)

        return Spec(
            title="DiscoGAN",
            source="arXiv:1703.05192",
            draws={"a": a, "b": b},
            networks={
                "AB": generator(b, self.width, self.code, self.skip),
                "BA": generator(a, self.width, self.code, self.skip),
                "DA": discriminator(
                    a, self.discriminator_width or self.width, self.noise, self.patches
                ),
                "DB": discriminator(
                    b, self.discriminator_width or self.width, self.noise, self.patches
                ),
            },
            let={name: text for name, text in lets.items() if name in ("ab", "ba") or name in back},
            stages=[
                stage("start", self.steps // 3, self.start, None),
                stage("rest", self.steps - self.steps // 3, self.rate, falling),
            ],
            ema={"AB": 0.999, "BA": 0.999},
            tasks={
                "to_b": Task(kind="translate", output="ab", to="b"),
                "to_a": Task(kind="translate", output="ba", to="a"),
            },
            batch=self.batch,
        )


def outlines(declared: DataSet, split: str, roots: Any) -> Source:
    """MNIST and outlines of MNIST; see `OUTLINES`."""
    import torch
    from torch.nn.functional import max_pool2d

    from ganzoo import Source, load_data

    digits = load_data("mnist", split, roots[0] if len(roots) == 1 else None)
    everything = torch.arange(len(digits))
    images = digits.batch("image", everything).add(1).mul(127.5).round()
    classes = digits.batch("label", everything)
    half = len(digits) // 2
    first, second = (everything, everything) if split == "test" else everything.split(half)
    filled = images[second]
    # the stroke dilated by one pixel, without the stroke
    a, b = images[first].byte(), (255 - (max_pool2d(filled, 3, 1, 1) - filled)).byte()
    arrays = {
        "a": a,
        "b": b,
        # alternating, so that some first images are of both domains
        "image": torch.stack([a, b], 1).flatten(0, 1),
        "label": torch.stack([classes[first], classes[second] + 10], 1).flatten(),
    }
    return Source(declared.name, declared.fields, arrays)


_SHAPE = (1, 28, 28)

OUTLINES = DataSet(
    name="mnist-outlines",
    fields=Fields(
        name="mnist-outlines",
        fields={
            "image": Image(_SHAPE),
            "label": Label(20, names=(*"0123456789", *(f"outline of {d}" for d in "0123456789"))),
            "a": Image(_SHAPE, field="a", independent=True),
            "b": Image(_SHAPE, field="b", independent=True),
        },
    ),
    summary="a: digits; b: outlines of others, dark on light; partners in the test split.",
    size=60_000,
    licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
    source="http://yann.lecun.com/exdb/mnist/",
    load=outlines,
    feature_extractors=(
        FeatureExtractor(
            "classifier-mnist-outlines",
            "96c66c8601aa60ccaf9d8a7738ad9a05f61835e0593945b7956cf4551540410d",
        ),
    ),
    domains=Domains("label", {"a": range(10), "b": range(10, 20)}),
)


@hookimpl
def ganzoo_variants():
    return [DiscoGAN]


@hookimpl
def ganzoo_data():
    return [OUTLINES]
