"""Anomaly scores from a GAN of normal images: AnoGAN optimizes a code, f-AnoGAN encodes.

AnoGAN (Schlegl et al. 2017, arXiv:1703.05921). Kept: a DCGAN of normal images; at inference, the
code is optimized to minimize 0.9 times the pixel residual plus 0.1 times the residual of the
discriminator's features; the minimum is the score. Changed: residuals are means instead of sums;
Adam starts from the code 0, where the density is highest, so that scores are reproducible; 100
steps instead of 500.

f-AnoGAN (Schlegl et al. 2019, Medical Image Analysis 54). Kept: a residual WGAN-GP of normal
images, with layer norm in the critic, five critic steps per generator step, a penalty of 10, Adam
1e-4 with betas (0, 0.9), batch 64, codes of 128 numbers; then, with both networks frozen, an
encoder that ends in tanh, trained with RMSprop 5e-5 to reconstruct images in pixels and in the
critic's last features (izi_f); the score is that loss for one image. Preset with the authors' sizes
for 64 pixels: f-anogan-64. Changed: the default is small, with a faster encoder.

GANomaly, which needs neither a search nor a second stage, is in ganzoo-ganomaly.
"""

from ganzoo import Fields, Spec, Task, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Conv,
    Downsample,
    Flatten,
    Gaussian,
    Image,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    Residual,
    RMSprop,
    Stage,
    Tanh,
    Tap,
    Update,
    Upsample,
    conv_stack,
    deconv_stack,
)


class AnoGAN(Variant):
    """Anomaly scores by a search for the nearest image that a GAN can draw (Schlegl 2017)."""

    name = "anogan"

    latent: int = 100
    width: int = 32
    features: float = 0.1
    """Weight of the discriminator's features in the loss that is minimized."""
    search: int = 100
    """Optimization steps for one image's code."""
    search_lr: float = 0.1
    quantile: float = 0.95
    lr: float = 2e-4
    batch: int = 64
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image, adam, init = data.image, Adam(self.lr, (0.5, 0.999)), Gaussian(0.02)
        down = conv_stack(image, self.width, norm=BatchNorm(), activation=LeakyReLU(0.2))
        residual = f"{1 - self.features:g} * sample_mean(abs(x - near))"
        search = {
            "solve": "near_code",
            "minimize": "strangeness",
            "steps": self.search,
            "optimizer": Adam(self.search_lr, (0.9, 0.999)),
        }
        return Spec(
            title="AnoGAN",
            source="arXiv:1703.05921",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, deconv_stack(image, self.width), init=init),
                "D": Network({"x": ()}, [*down, Tap("f"), Linear(1)], init=init),
            },
            let={
                "fake": "G(z)",
                "near_code": "0 * z",
                "near": "G(near_code)",
                "strangeness": f"{residual} + {self.features:g} * "
                "sample_mean(abs(D.f(x) - D.f(near)))",
            },
            round=[
                Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}, adam),
                Update("G", {"fool": "bce(D(fake), 1)"}, adam),
            ],
            steps=self.steps,
            tasks={
                "generate": "fake",
                "score": Task(
                    kind="score",
                    output="strangeness",
                    map="abs(x - near)",
                    quantile=self.quantile,
                    **search,
                ),
                "reconstruct": Task(kind="reconstruct", output="near", **search),
                "encode": Task(kind="encode", output="near_code", **search),
            },
            batch=self.batch,
        )


class FAnoGAN(Variant):
    """Anomaly scores by an encoder for a frozen WGAN-GP of normal images (Schlegl 2019)."""

    name = "f-anogan"

    latent: int = 128
    width: int = 16
    kappa: float = 1.0
    """Weight of the critic's features in the encoder's loss, and in the score."""
    quantile: float = 0.95
    critic_steps: int = 5
    lr: float = 1e-4
    lr_encoder: float = 2e-4
    batch: int = 64
    steps: int = 10_000
    """Rounds of the GAN; the encoder is trained for half as many."""

    def spec(self, data: Fields) -> Spec:
        image, adam = data.image, Adam(self.lr, (0, 0.9))
        critic = [*self.down(image, LayerNorm()), Tap("f"), Flatten(), Linear(1)]
        encoder = [*self.down(image, BatchNorm()), Flatten(), Linear(self.latent), Tanh()]
        gan = Stage(
            [
                Update(
                    "C",
                    {
                        "critic": "mean(C(fake)) - mean(C(x))",
                        "penalty": "10 * gradient_penalty(C, x, fake)",
                    },
                    adam,
                    repeat=self.critic_steps,
                ),
                Update("G", {"critic": "-mean(C(fake))"}, adam),
            ],
            self.steps,
            name="gan",
        )
        izi_f = Stage(
            [
                Update(
                    "E",
                    {
                        "image": "mse(x, back)",
                        "features": f"{self.kappa:g} * mse(C.f(x), C.f(back))",
                    },
                    RMSprop(self.lr_encoder),
                )
            ],
            max(1, self.steps // 2),
            ("C", "G"),
            "encoder",
        )
        return Spec(
            title="f-AnoGAN",
            source="10.1016/j.media.2019.01.010",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, self.up(image)),
                "C": Network({"x": ()}, critic),
                "E": Network({"x": ()}, encoder),
            },
            let={"fake": "G(z)", "back": "G(E(x))"},
            stages=[gan, izi_f],
            tasks={
                "generate": "fake",
                "score": Task(
                    kind="score",
                    output=f"distance(x, back) + {self.kappa:g} * distance(C.f(x), C.f(back))",
                    map="abs(x - back)",
                    quantile=self.quantile,
                ),
                "reconstruct": "back",
                "encode": "E(x)",
            },
            batch=self.batch,
        )

    def channels(self, image: Image) -> list[int]:
        """Of the maps: the image's size, half of it, ... down to 4 pixels, or to an odd size."""
        halved, sides = 0, image.shape[1:]
        while min(sides) > 4 and not any(side % 2 for side in sides):
            halved, sides = halved + 1, (sides[0] // 2, sides[1] // 2)
        return [self.width * 2 ** min(level, 3) for level in range(halved + 1)]

    def down(self, image: Image, norm: Layer) -> list:
        first, *others = self.channels(image)
        layers: list[Layer] = [Conv(first)]
        wide = first
        for out in others:
            block = [norm, ReLU(), Conv(wide), norm, ReLU(), Conv(out), Downsample()]
            layers.append(Residual(block, [Downsample(), Conv(out, 1)]))
            wide = out
        return layers

    def up(self, image: Image) -> list:
        norm, channels = BatchNorm(), self.channels(image)
        scale = 2 ** (len(channels) - 1)
        start = (channels[-1], image.shape[1] // scale, image.shape[2] // scale)
        layers = [Linear(start[0] * start[1] * start[2]), Reshape(start)]
        for out in reversed(channels[:-1]):
            block = [norm, ReLU(), Upsample(), Conv(out), norm, ReLU(), Conv(out)]
            layers.append(Residual(block, [Upsample(), Conv(out, 1)]))
        return [*layers, norm, ReLU(), Conv(image.channels), Tanh()]


class FAnoGAN64(FAnoGAN):
    """f-AnoGAN with the authors' sizes for 64 pixels."""

    name = "f-anogan-64"

    width: int = 64
    lr_encoder: float = 5e-5
    steps: int = 100_000


@hookimpl
def ganzoo_variants():
    return [AnoGAN, FAnoGAN, FAnoGAN64]
