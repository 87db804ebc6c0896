"""StackGAN: pictures from sentences, in two stages.

Zhang et al. 2016, arXiv:1612.03242. Stage 1 draws at half the size; stage 2 redraws its output at
full size, conditioned on the sentence again. Kept from the authors' first code (TensorFlow):
conditioning augmentation, with mean and log deviation of the condition from one layer with
LeakyReLU; 2 times its KL divergence, averaged over the dimensions; a discriminator that gets real
images with their own captions, real images with another caption (half the weight) and fakes (half
the weight), and joins the sentence with its last maps; stage 1 frozen in stage 2, which has its own
condition, discriminator and residual blocks; Adam 2e-4 with beta1 0.5, batch 64.
Changed: a sentence encoder instead of the char-CNN-RNN, followed, wherever a network reads a
sentence, by one more layer with batch norm; few channels; a little noise on the discriminators'
input (arXiv:1610.04490), since flat colours would otherwise give every generated image away; rates
that decay linearly over the second half of each stage; stage 1 in evaluation mode in stage 2,
including batch norm. If the data have wrong captions (a field `mismatched`), the discriminator
learns to reject these; otherwise it gets the neighbour's image in the batch (`roll`), as in the
authors' PyTorch code. Wrong captions of `fashion-captions` differ in one attribute, half of the
time in the garment: a neighbour's caption is recognized by its colours alone, so the garment would
not be learned. Emoji have so many captions that the neighbour's is hardly ever the same.

Five settings are not the authors', and off by default:
- `linear`: the condition is a linear function of the sentence's vector. That vector is nearly a sum
  over its attributes, so a linear map generalizes to unseen combinations, where a network with a
  hidden layer prefers those of training.
- `classify`: the weight of a classification loss: discriminators also predict all labels of the
  data, and generators are trained to draw images that are classified correctly (TAC-GAN,
  arXiv:1703.06412). A label that a caption leaves open teaches nothing.
- `vary`: what a caption leaves open is drawn from a code of its own, which the discriminator has to
  recognize (InfoGAN, arXiv:1606.03657); else samples of a sentence hardly differ in such things. It
  needs `classify`, and labels whose last class says that the caption leaves them open.
- `diversity`: the weight of a term of stage 1 that is large if different noise gives the same image
  for a condition (mode seeking, arXiv:1903.05628); `classify` alone soon suppresses the noise.
- `pixels`: the weight of the absolute difference from the caption's own image (arXiv:1611.07004),
  for data with one picture per caption. Samples of a sentence then differ little.
"""

from __future__ import annotations

from math import ceil, log2

import ganzoo
from ganzoo import Fields, Spec, Variant
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Categorical,
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
    OneHot,
    ReLU,
    Reshape,
    Residual,
    Stage,
    Tanh,
    Tap,
    Task,
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
    vary: bool = False
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
                f"classify predicts labels of the data, but data set {data.name!r} has none; "
                "leave it at 0"
            )
        unsaid = {
            field: label.names.index(data.unsaid)
            for field, label in labels.items()
            if data.unsaid in label.names
        }
        codes = {f"{field}_code": field for field in unsaid if self.vary}
        if self.vary and not codes:
            raise ganzoo.GanzooError(
                f"vary draws what captions leave open, but classify is 0, or captions of data set "
                f"{data.name!r} leave no label open; leave it off"
            )
        refused = {"wrong": data["mismatched"]} if "mismatched" in data.fields else {}

        def network(inputs, layers):
            return Network(inputs, layers, init=Gaussian(0.02))

        # exchanging two colours changes a sentence's vector by a hundredth; without the norm,
        # the networks learn to use it only after thousands of rounds
        read = (Linear(self.reading, bias=False), NORM)

        def condition():
            units = 2 * self.condition if self.augment else self.condition
            if self.linear:
                return network({"t": (NORM, *read)}, [Linear(units)])
            return network({"t": (*read, SOFT)}, [Linear(units), SOFT])

        def told(field: str, logits: str, code: str = "") -> str:
            """The cross-entropy of a label; of its code where a caption leaves it open, or none."""
            if field not in unsaid:
                return f"cross_entropy({logits}, {field})"
            classes, number = labels[field].classes, unsaid[field]
            left = f"select(one_hot({field}, {classes}), class_label({number}, z))"
            error = f"(1 - {left}) * (logsumexp({logits}) - select({logits}, {field}))"
            if code:
                error += f" + {left} * (logsumexp({logits}) - select({logits}, {code}))"
            return f"mean({error})"

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
                code = f"{field}_code" if f"{field}_code" in codes else ""
                for seen, losses, asked in ((real, pairs, ""), (fake, terms, code)):
                    error = told(field, f"{d}_{field}({d}.maps({seen}, t))", asked)
                    losses[field] = f"{self.classify:g} * {error}"
            if self.diversity and fake == "sketch":
                terms["alike"] = (
                    f"{self.diversity:g} * l1(z, roll(z)) / (l1(sketch, {draw('roll(z)')}) + 1e-5)"
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

        def draw(z: str) -> str:
            return f"G({', '.join((z, 'c', *codes))})"

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
                **{code: Categorical(unsaid[field]) for code, field in codes.items()},
                **(noise if self.augment else {}),
            },
            networks={
                "CA": condition(),
                "G": network(
                    {"z": (), "c": (), **{c: (OneHot(unsaid[f]),) for c, f in codes.items()}},
                    _drawing(small, self.width),
                ),
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
                "sketch": draw("z"),
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
    """Doublings, one for each width, and a layer that makes the image."""
    layers = []
    for width in widths:
        layers += [Upsample(), Conv(width, bias=False), NORM, RELU]
    return [*layers, Crop(image.size), Conv(image.channels), Tanh()]
