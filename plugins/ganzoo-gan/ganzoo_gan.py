"""The original GAN: fully connected, for small images.

Goodfellow et al. 2014, arXiv:1406.2661. Kept from the authors' MNIST recipe: latent 100,
rectifier generator, maxout discriminator with dropout, the non-saturating generator loss.
Changed: Adam in place of SGD with momentum, tanh and images in [-1, 1], a generator that
is 1,000 wide, and a moving average of its weights is what gets published.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    Decay,
    Dropout,
    Linear,
    Maxout,
    Network,
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
    lr: float = 2e-4
    batch: int = 128
    steps: int = 40_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        channels, height, width = image.shape
        pixels = channels * height * width
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), decay=Decay(start=0.5, final=0.05))
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
                    {"x": (Dropout(0.2),)},
                    (
                        Maxout(240, self.pieces),
                        Dropout(0.5),
                        Maxout(240, self.pieces),
                        Dropout(0.5),
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
            ema={"G": 0.999},
            tasks={"generate": "G(z)"},
            batch=self.batch,
        )


@hookimpl
def ganzoo_variants():
    return [GAN]
