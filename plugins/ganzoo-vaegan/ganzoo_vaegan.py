"""VAE/GAN: autoencoding beyond pixels (Larsen et al. 2015, arXiv:1512.09300).

Kept: Algorithm 1. The negative log-likelihood of an image is half the squared distance between the
discriminator's features of the image and of its reconstruction. The encoder minimizes it plus the
prior loss; the decoder, gamma times it plus the adversarial loss of reconstructions and samples;
the discriminator, only its loss on real, reconstructed and sampled images. All step at the same
time; RMSprop 3e-4, batch 64; kernels of 5 with batch norm, codes of 128 numbers; gamma of 1e-6, as
in the authors' code. Preset with the authors' sizes: vae-gan-celeba.
Changed: the decoder's adversarial loss is non-saturating (`minimax` gives the loss of Algorithm 1);
kernels of 4, a multiple of the stride; the likelihood is a mean over features, scaled to the
paper's 16,384, so that gamma means the same at any size.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    BatchNorm,
    Conv,
    Flatten,
    Image,
    Linear,
    Network,
    Normal,
    ReLU,
    RMSprop,
    Tap,
    Together,
    Update,
    conv_stack,
    deconv_stack,
    halvings,
)

FEATURES = 16_384
"""The size of the paper's features: 256 maps of 8x8."""


class VAEGAN(Variant):
    """A VAE whose likelihood is of a discriminator's features (Larsen et al. 2015)."""

    name = "vae-gan"

    latent: int = 128
    width: int = 32
    hidden: int = 256
    """Units of the encoder's and the discriminator's last layer but one."""
    prior: float = 1.0
    """Weight of the prior loss. Where it is higher, codes are closer to the prior, and samples to
    reconstructions."""
    gamma: float = 1e-6
    """Weight of the likelihood in the decoder's loss."""
    minimax: bool = False
    """The decoder maximizes the discriminator's loss, instead of the non-saturating loss."""
    lr: float = 3e-4
    batch: int = 64
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image, rms = data.image, RMSprop(self.lr)
        down = conv_stack(image, self.width, norm=BatchNorm(), activation=ReLU())
        tail = [Linear(self.hidden, bias=False), BatchNorm(), ReLU()]
        encoder = [*down, Flatten(), *tail, Linear(2 * self.latent)]
        discriminator = [
            *self.discriminator(image),
            Tap("l"),
            BatchNorm(),
            ReLU(),
            Flatten(),
            *tail,
            Linear(1),
        ]
        likelihood = f"{FEATURES / 2:g} * mse(Dis.l(x), Dis.l(recon))"
        if self.minimax:
            fool = "-(bce(Dis(fake), 0) + bce(Dis(recon), 0))"
        else:
            fool = "bce(Dis(fake), 1) + bce(Dis(recon), 1)"
        return Spec(
            title="VAE/GAN",
            source="arXiv:1512.09300",
            draws={"x": image, "z": Normal(self.latent), "e": Normal(self.latent)},
            networks={
                "Enc": Network({"x": ()}, encoder),
                "Dec": Network({"z": ()}, deconv_stack(image, self.width)),
                "Dis": Network({"x": ()}, discriminator),
            },
            let={
                "h": "Enc(x)",
                "recon": "Dec(reparameterize(h, e))",
                "fake": "Dec(z)",
                "likelihood": likelihood,
            },
            round=[
                Together(
                    [
                        # kl is the mean over the numbers of a code, and the prior their sum
                        Update(
                            "Enc",
                            {
                                "prior": f"{self.prior * self.latent:g} * kl(h)",
                                "likelihood": "likelihood",
                            },
                            rms,
                        ),
                        Update(
                            "Dec",
                            {"likelihood": f"{self.gamma:g} * likelihood", "fool": fool},
                            rms,
                        ),
                        Update(
                            "Dis",
                            {
                                "real": "bce(Dis(x), 1)",
                                "fake": "bce(Dis(fake), 0) + bce(Dis(recon), 0)",
                            },
                            rms,
                        ),
                    ]
                )
            ],
            steps=self.steps,
            tasks={
                "generate": "Dec(z)",
                "encode": "average(h)",
                "reconstruct": "Dec(average(h))",
            },
            batch=self.batch,
        )

    def discriminator(self, image: Image) -> list:
        """Convolutions down to 4 pixels or 8; the last one's norm and ReLU come after `l`."""
        layers = [Conv(self.width // 2, 5), ReLU()]
        levels = max(1, min(3, halvings(min(image.shape[1:]))))
        for level in range(1, levels + 1):
            layers.append(Conv(self.width * 2 ** min(level, 2), 4, 2))
            layers += [BatchNorm(), ReLU()] if level < levels else []
        return layers


class CelebA(VAEGAN):
    """VAE/GAN with the authors' sizes for CelebA at 64 pixels."""

    name = "vae-gan-celeba"

    width: int = 64
    hidden: int = 2048
    minimax: bool = True
    steps: int = 100_000


@hookimpl
def ganzoo_variants():
    return [VAEGAN, CelebA]
