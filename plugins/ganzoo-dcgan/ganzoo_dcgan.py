"""The deep convolutional GAN, for images of 16 to 128 pixels.

Radford et al. 2015, arXiv:1511.06434. Kept: strided convolutions in both networks, batch
norm except at the generator's output and the discriminator's input, ReLU and LeakyReLU 0.2,
weights normal(0, 0.02), Adam 2e-4 with beta1 0.5, batch 128, one update of each network a
round. Changed: kernels of 4 (they divide by the stride, so no checkerboard), as many steps
as the image size needs, and a moving average of the generator's weights is published.
"""

from ganzoo import Fields, Layer, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Conv,
    Crop,
    Decay,
    Deconv,
    Gaussian,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    Tanh,
    Update,
)


class DCGAN(Variant):
    """The deep convolutional GAN, 16 to 128 pixels (Radford et al. 2015)."""

    name = "dcgan"

    latent: int = 100
    width: int = 64
    lr: float = 2e-4
    batch: int = 128
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), decay=Decay(start=0.5, final=0.05))
        return Spec(
            title="DCGAN",
            source="arXiv:1511.06434",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, self.generator(image), init=Gaussian(0.02)),
                "D": Network({"x": ()}, self.discriminator(image), init=Gaussian(0.02)),
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

    def generator(self, image) -> list[Layer]:
        """From a 4 to 7 pixel map of many channels, doubled until the image is covered."""
        doublings = doublings_for(image.size)
        start = -(-image.size // 2**doublings)
        widths = [self.width * 2**power for power in reversed(range(doublings))]
        layers: list[Layer] = [
            Linear(widths[0] * start * start, bias=False),
            Reshape((widths[0], start, start)),
            BatchNorm(),
            ReLU(),
        ]
        for width in widths[1:]:
            layers += [Deconv(width, 4, 2, bias=False), BatchNorm(), ReLU()]
        layers += [Deconv(image.channels, 4, 2), Tanh()]
        if start * 2**doublings != image.size:
            layers.append(Crop(image.size))
        return layers

    def discriminator(self, image) -> list[Layer]:
        """Halved until 4 to 7 pixels are left, the channels doubled each time."""
        layers: list[Layer] = []
        for power in range(doublings_for(image.size)):
            layers.append(Conv(self.width * 2**power, 4, 2, bias=power == 0))
            layers += [BatchNorm()] if power else []
            layers.append(LeakyReLU(0.2))
        return [*layers, Linear(1)]


def doublings_for(size: int) -> int:
    """How often a map of 4 to 7 pixels must double to reach `size`: 2 for 28, 4 for 64."""
    return max(1, (size // 4).bit_length() - 1)


@hookimpl
def ganzoo_variants():
    return [DCGAN]
