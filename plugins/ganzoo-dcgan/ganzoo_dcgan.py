"""Deep convolutional GANs for images of 16 to 128 pixels, without and with classes.

DCGAN: Radford et al. 2015, arXiv:1511.06434. Kept: strided convolutions in both networks,
batch norm except at the generator's output and the discriminator's input, ReLU and
LeakyReLU 0.2, weights normal(0, 0.02), Adam 2e-4 with beta1 0.5, batch 128, one update of
each network a round. Changed: kernels of 4 (they divide by the stride, so no checkerboard),
as many steps as the image size needs, and a moving average of the generator's weights is
published.

Conditional DCGAN: the paper's MNIST experiment (Mirza and Osindero's condition,
arXiv:1411.1784, in this architecture), after the authors' train_cond_dcgan.py. Kept: the
label enters every layer of both networks, as a one-hot vector; batch norm without gain and
bias; a fully connected layer between the maps and the output; L2 of 2.5e-5.
Changed: as for the DCGAN, and one fully connected layer in the generator instead of two.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Flatten,
    Gaussian,
    Inject,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    OneHot,
    Update,
    conv_stack,
    deconv_stack,
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
        adam = Adam(lr=self.lr, betas=(0.5, 0.999))
        discriminator = [*conv_stack(image, self.width, norm=BatchNorm()), Linear(1)]
        return Spec(
            title="DCGAN",
            source="arXiv:1511.06434",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, deconv_stack(image, self.width), init=Gaussian(0.02)),
                "D": Network({"x": ()}, discriminator, init=Gaussian(0.02)),
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


class CDCGAN(Variant):
    """The DCGAN told the class in every layer (Radford et al. 2015)."""

    name = "cdcgan"

    latent: int = 100
    width: int = 64
    hidden: int = 1024
    lr: float = 2e-4
    weight_decay: float = 2.5e-5
    batch: int = 128
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image, label = data.image, data.label
        adam = Adam(lr=self.lr, betas=(0.5, 0.999), weight_decay=self.weight_decay)
        classes = {"y": (OneHot(label.classes),)}
        told, norm = [Inject("y")], BatchNorm(affine=False)
        draw = deconv_stack(image, self.width, norm=norm, inject=told)
        discriminator = [
            *conv_stack(image, self.width, norm=norm, inject=told),
            Flatten(),
            *told,
            Linear(self.hidden, bias=False),
            norm,
            LeakyReLU(0.2),
            *told,
            Linear(1),
        ]
        return Spec(
            title="Conditional DCGAN",
            source="arXiv:1511.06434",
            draws={"x": image, "y": label, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": (), **classes}, draw, init=Gaussian(0.02)),
                "D": Network({"x": (), **classes}, discriminator, init=Gaussian(0.02)),
            },
            let={"fake": "G(z, y)"},
            round=[
                Update("D", {"real": "bce(D(x, y), 1)", "fake": "bce(D(fake, y), 0)"}, adam),
                Update("G", {"fool": "bce(D(fake, y), 1)"}, adam),
            ],
            steps=self.steps,
            ema={"G": 0.999},
            tasks={"generate": "G(z, y)"},
            batch=self.batch,
        )


@hookimpl
def ganzoo_variants():
    return [DCGAN, CDCGAN]
