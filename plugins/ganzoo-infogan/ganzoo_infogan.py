"""Generators with interpretable inputs: InfoGAN learns codes, AC-GAN is conditioned on classes.

InfoGAN (Chen et al. 2016, arXiv:1606.03657). Kept: noise of 62 numbers, a class of ten and two
numbers in [-1, 1]; convolutions and a layer of units in both networks, batch norm but in the
discriminator's first; a head Q on the discriminator's features, through 128 units; the lower bound
of the mutual information, with a deviation of 1 for the two numbers, in both losses, so that Q
learns with the discriminator; Adam with beta1 of 0.5 and rates of 2e-4 and 1e-3, batch 128. Preset
with the authors' sizes: infogan-mnist. Changed: images in [-1, 1] and tanh; maps are halved until
they have 8 pixels or fewer, which is twice for MNIST, as theirs; the default is a quarter as wide;
a moving average of the generator is published.

AC-GAN (Odena et al. 2016, arXiv:1610.09585). Kept, from the paper's settings for CIFAR-10: noise of
100 numbers and a class; a discriminator of convolutions that halve and that do not in turn, batch
norm but in its first layer, dropout of one half after each; two heads, for real or not and for the
class, whose cross-entropy both networks minimize, on data and on fakes; Adam 2e-4 with beta1 of
0.5, batch 100, weights normal(0, 0.02). Changed: kernels of 4 in the generator; the default is half
as wide; no noise on activations; a moving average of the generator is published. Preset with the
authors' sizes: acgan-cifar10.
"""

from typing import Annotated

from pydantic import Field

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Categorical,
    Conv,
    Crop,
    Deconv,
    Dropout,
    Flatten,
    Gaussian,
    Image,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    OneHot,
    ReLU,
    Reshape,
    Tanh,
    Tap,
    Uniform,
    Update,
    deconv_stack,
    halvings,
)

LEAKY, NORM = LeakyReLU(0.2), BatchNorm()


class InfoGAN(Variant):
    """Codes that are found in the data, by mutual information (Chen et al. 2016)."""

    name = "infogan"

    latent: int = 62
    classes: int = 10
    """Values of the categorical code."""
    numbers: Annotated[int, Field(ge=1)] = 2
    """Continuous codes, uniform in [-1, 1)."""
    weight: float = 1.0
    """Weight of the mutual information."""
    width: int = 16
    hidden: int = 256
    lr: float = 2e-4
    lr_generator: float = 1e-3
    batch: int = 128
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image, end = data.image, self.classes + self.numbers
        # the entropy of the class is log(classes); the cross-entropy bounds its conditional entropy
        told = f"log({self.classes}) - cross_entropy(part(q, 0, {self.classes}), c)"
        near = f"0.5 * mean(squared_norm(v - part(q, {self.classes}, {end})))"
        information = {"information": f"-{self.weight:g} * information"}
        return Spec(
            title="InfoGAN",
            source="arXiv:1606.03657",
            draws={
                "x": image,
                "z": Uniform(self.latent),
                "c": Categorical(self.classes),
                "v": Uniform(self.numbers),
            },
            networks={
                "G": Network({"z": (), "c": [OneHot(self.classes)], "v": ()}, self.paint(image)),
                "D": Network({"x": ()}, self.discriminator(image, end)),
            },
            let={"fake": "G(z, c, v)", "q": "D.Q(fake)", "information": f"{told} - {near}"},
            round=[
                Update(
                    "D",
                    {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)", **information},
                    Adam(self.lr, (0.5, 0.999)),
                ),
                Update(
                    "G",
                    {"fool": "bce(D(fake), 1)", **information},
                    Adam(self.lr_generator, (0.5, 0.999)),
                ),
            ],
            steps=self.steps,
            ema={"G": 0.999},
            tasks={"generate": "G(z, c, v)", "encode": "D.Q(x)"},
            batch=self.batch,
        )

    def sides(self, image: Image) -> list[int]:
        found = [image.size]
        while found[-1] > 8:
            found.append(-(-found[-1] // 2))
        return found

    def paint(self, image: Image) -> list:
        sides = self.sides(image)
        channels = [image.channels, *(self.width * 2**i for i in range(len(sides) - 1))]
        side, start = sides.pop(), channels.pop()
        layers = [Linear(self.hidden, bias=False), NORM, ReLU()]
        layers += [Linear(start * side * side, bias=False), Reshape((start, side, side)), NORM]
        for side in reversed(sides):
            layers += [ReLU(), Deconv(channels[-1], 4, 2)]
            layers += [Crop(side)] if side % 2 else []
            layers += [NORM] if len(channels) > 1 else [Tanh()]
            channels.pop()
        return layers

    def discriminator(self, image: Image, codes: int) -> list:
        layers = []
        for level, side in enumerate(self.sides(image)[:-1]):
            layers += [Conv(self.width * 2**level, 4, 2, padding=1 + side % 2)]
            layers += [NORM, LEAKY] if level else [LEAKY]
        layers += [Flatten(), Linear(self.hidden, bias=False), NORM, LEAKY]
        head = Tap("Q", [Linear(self.hidden // 8, bias=False), NORM, LEAKY, Linear(codes)])
        return [*layers, head, Linear(1)]


class InfoGANMNIST(InfoGAN):
    """InfoGAN with the authors' sizes for MNIST."""

    name = "infogan-mnist"

    width: int = 64
    hidden: int = 1024
    steps: int = 23_000


class ACGAN(Variant):
    """A discriminator that also tells the class, of data and fakes (Odena et al. 2016)."""

    name = "acgan"

    latent: int = 100
    width: int = 8
    """Channels of the discriminator's first layer; the generator's last map has six times that."""
    dropout: float = 0.5
    """After each convolution of the discriminator."""
    lr: float = 2e-4
    batch: int = 100
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image, label = data.image, data.label
        adam = Adam(self.lr, (0.5, 0.999))
        discriminator = [
            *self.convolutions(image),
            Flatten(),
            Tap("classes", [Linear(label.classes)]),
        ]
        paint = deconv_stack(image, 6 * self.width)
        init = Gaussian(0.02)
        return Spec(
            title="AC-GAN",
            source="arXiv:1610.09585",
            draws={"x": image, "y": label, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": (), "y": [OneHot(label.classes)]}, paint, init=init),
                "D": Network({"x": ()}, [*discriminator, Linear(1)], init=init),
            },
            let={"fake": "G(z, y)"},
            round=[
                Update(
                    "D",
                    {
                        "real": "bce(D(x), 1)",
                        "fake": "bce(D(fake), 0)",
                        "class_of_real": "cross_entropy(D.classes(x), y)",
                        "class_of_fake": "cross_entropy(D.classes(fake), y)",
                    },
                    adam,
                ),
                Update(
                    "G",
                    {
                        "fool": "bce(D(fake), 1)",
                        "class_of_fake": "cross_entropy(D.classes(fake), y)",
                    },
                    adam,
                ),
            ],
            steps=self.steps,
            ema={"G": 0.999},
            tasks={"generate": "G(z, y)"},
            batch=self.batch,
        )

    def convolutions(self, image: Image) -> list:
        layers, width = [], self.width
        for level in range(halvings(min(image.shape[1:]))):
            for stride in (2, 1):
                layers.append(Conv(min(width, 32 * self.width), 3, stride))
                layers += [NORM] if level or stride == 1 else []
                layers += [LEAKY, Dropout(self.dropout)] if self.dropout else [LEAKY]
                width *= 2
        return layers


class ACGANCIFAR10(ACGAN):
    """AC-GAN with the authors' sizes for CIFAR-10."""

    name = "acgan-cifar10"

    width: int = 16
    steps: int = 100_000


@hookimpl
def ganzoo_variants():
    return [InfoGAN, InfoGANMNIST, ACGAN, ACGANCIFAR10]
