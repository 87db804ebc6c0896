"""VAE/GAN: autoencoding beyond pixels (Larsen et al. 2015, arXiv:1512.09300).

Kept: Algorithm 1. An image's likelihood is that of a discriminator's features around those of
what the decoder makes of its code, half their squared distance; the encoder learns from it and
from the prior, the decoder from gamma times it and from fooling the discriminator, with
reconstructions and with samples, and the discriminator from real, reconstructed and drawn images
alone; all step at once; RMSprop 3e-4, batch 64; convolutions of 5 with batch norm, codes of 128
numbers; gamma of 1e-6, as in the authors' code. Preset with the authors' sizes: vae-gan-celeba.
Changed: the decoder fools by labelling its images real, which does not saturate (`minimax` is
Algorithm 1 to the letter); kernels of 4, which divide by the stride; gamma is for the mean over
features that the paper's sum has 16,384 of, so that it means the same at any size.
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
"""Numbers of the paper's features, 256 maps of 8x8."""


class VAEGAN(Variant):
    """A VAE whose likelihood is of a discriminator's features (Larsen et al. 2015)."""

    name = "vae-gan"

    latent: int = 128
    width: int = 32
    hidden: int = 256
    """Units of the encoder's and the discriminator's last layer but one."""
    gamma: float = 1e-6
    """Weight of the likelihood in the decoder's loss."""
    minimax: bool = False
    """The decoder raises the discriminator's loss, in place of labelling its images real."""
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
                            {"prior": f"{self.latent} * kl(h)", "likelihood": "likelihood"},
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
