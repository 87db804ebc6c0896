"""Fully connected GANs for small images: the original one, and the conditional one.

GAN: Goodfellow et al. 2014, arXiv:1406.2661. Kept from the authors' MNIST recipe: uniform
latent of 100 with unit variance, rectifier generator, maxout discriminator with dropout, the
non-saturating generator loss. Changed: Adam in place of SGD with momentum, tanh and images
in [-1, 1], a generator that is 1,000 wide, and a moving average of its weights is what gets
published. The authors drop 0.2 of the input and 0.5 of the hidden units (`dropout_input`,
`dropout`); the defaults drop less, since samples then have fewer speckles, and the rate stays
constant, since the average has the effect of a decaying rate.

Conditional GAN: Mirza and Osindero 2014, arXiv:1411.1784. Kept: both networks get the class as a
one-hot vector. Changed: as for the GAN, and the class is concatenated with the latent and with the
pixels. In the paper each has its own branch first (200 units for the latent and 1,000, here
`width`, for the class; maxout 240x5 and 50x5, joined in 240x4): that is `branches=True`, with which
the samples of each class collapsed to one after some thousand rounds, at every rate of dropout that
was tried. Concatenated with 784 pixels, ten numbers have little weight: training starts like that
of the GAN, and the weights learn to use the class later.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    Dropout,
    Flatten,
    Linear,
    Maxout,
    Network,
    OneHot,
    ReLU,
    Reshape,
    Tanh,
    Uniform,
    Update,
)


class GAN(Variant):
    """The original GAN, fully connected (Goodfellow et al. 2014)."""

    name = "gan"

    latent: int = 100
    width: int = 1000
    pieces: int = 5
    dropout: float = 0.3
    dropout_input: float = 0.0
    lr: float = 2e-4
    weight_decay: float = 2.5e-5
    batch: int = 128
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        channels, height, width = image.shape
        pixels = channels * height * width
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), weight_decay=self.weight_decay)
        return Spec(
            title="GAN",
            source="arXiv:1406.2661",
            draws={"x": image, "z": Uniform(self.latent, low=-(3**0.5), high=3**0.5)},
            networks={
                "G": Network(
                    {"z": ()},
                    (
                        Linear(self.width),
                        ReLU(),
                        Linear(self.width),
                        ReLU(),
                        Linear(pixels),
                        Tanh(),
                        Reshape(image.shape),
                    ),
                ),
                "D": Network(
                    {"x": dropout(self.dropout_input)},
                    (
                        Flatten(),
                        *(Maxout(240, self.pieces), *dropout(self.dropout)),
                        *(Maxout(240, self.pieces), *dropout(self.dropout)),
                        Linear(1),
                    ),
                ),
            },
            let={"fake": "G(z)"},
            round=[
                Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}, adam),
                Update("G", {"fool": "bce(D(fake), 1)"}, adam),
            ],
            steps=self.steps,
            ema={"G": 0.9995},
            tasks={"generate": "G(z)"},
            batch=self.batch,
        )


class CGAN(Variant):
    """The conditional GAN: told which class to draw (Mirza and Osindero 2014)."""

    name = "cgan"

    latent: int = 100
    width: int = 1000
    pieces: int = 5
    branches: bool = False
    dropout: float = 0.3
    dropout_input: float = 0.0
    lr: float = 2e-4
    weight_decay: float = 2.5e-5
    batch: int = 128
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image, label = data.image, data.label
        channels, height, width = image.shape
        one_hot = OneHot(label.classes)
        drop = dropout(self.dropout)
        latent, told, joined = (), (), ()
        seen = (*dropout(self.dropout_input), Flatten())
        if self.branches:
            latent, told = (Linear(200), ReLU()), (Linear(self.width), ReLU())
            seen, joined = (*seen, Maxout(240, self.pieces), *drop), (Maxout(50, self.pieces),)
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), weight_decay=self.weight_decay)
        return Spec(
            title="Conditional GAN",
            source="arXiv:1411.1784",
            draws={
                "x": image,
                "y": label,
                "z": Uniform(self.latent, low=-(3**0.5), high=3**0.5),
            },
            networks={
                "G": Network(
                    {"z": latent, "y": (one_hot, *told)},
                    (
                        *(() if self.branches else (Linear(self.width), ReLU())),
                        *(Linear(self.width), ReLU()),
                        *(Linear(channels * height * width), Tanh(), Reshape(image.shape)),
                    ),
                ),
                "D": Network(
                    {"x": seen, "y": (one_hot, *joined)},
                    (
                        *(() if self.branches else (Maxout(240, self.pieces), *drop)),
                        *(Maxout(240, 4 if self.branches else self.pieces), *drop),
                        Linear(1),
                    ),
                ),
            },
            let={"fake": "G(z, y)"},
            round=[
                Update("D", {"real": "bce(D(x, y), 1)", "fake": "bce(D(fake, y), 0)"}, adam),
                Update("G", {"fool": "bce(D(fake, y), 1)"}, adam),
            ],
            steps=self.steps,
            ema={"G": 0.9995},
            tasks={"generate": "G(z, y)"},
            batch=self.batch,
        )


def dropout(rate: float) -> tuple[Dropout, ...]:
    """A dropout layer; none for a rate of 0."""
    return (Dropout(rate),) if rate else ()


@hookimpl
def ganzoo_variants():
    return [GAN, CGAN]
