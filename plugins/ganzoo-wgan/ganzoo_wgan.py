"""Wasserstein GANs for images of 16 to 128 pixels: weight clipping, and gradient penalty.

WGAN: Arjovsky et al. 2017, arXiv:1701.07875. Kept: RMSprop at 5e-5 for the critic, weights
clipped to 0.01 after each of its steps, five of them for one of the generator, no sigmoid.
Changed: the critic has no normalisation layers (the authors' code has batch norm and clips
it too, so that clipping alone no longer bounds the slope), the generator may learn faster
than the critic, and the five steps are not a hundred now and then.

WGAN-GP: Gulrajani et al. 2017, arXiv:1704.00028. Kept: two-sided penalty with weight 10, a
random point for each sample, Adam with betas (0.5, 0.9), five critic steps, normal noise of
128, no normalisation in the critic. Changed: the rates. The authors' are 1e-4 for both, over
200,000 rounds; with a fortieth of that, the critic of these nets lagged behind: it estimated a gap
of 3 where one trained anew on the same samples estimated 14. So it learns at 1e-3 and the generator
at half of that, decaying to 0 (in the authors' CIFAR-10 nets both decay). Networks are shared
with WGAN, so that the two can be compared; the generator has batch norm (as in the paper's
CIFAR-10 nets; the authors' MNIST script goes without).
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    Decay,
    Gaussian,
    He,
    Linear,
    Network,
    Normal,
    RMSprop,
    Task,
    Update,
    conv_stack,
    deconv_stack,
)

SCORE = "mean(C(fake)) - mean(C(x))"
"""What a critic minimizes: the negative of the distance that it estimates."""


class WGAN(Variant):
    """Wasserstein GAN, the critic's weights clipped (Arjovsky et al. 2017)."""

    name = "wgan"

    latent: int = 128
    width: int = 32
    clip: float = 0.01
    critic_steps: int = 5
    lr: float = 5e-5
    lr_generator: float = 2e-4
    batch: int = 64
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        critic = Update(
            "C",
            {"critic": SCORE},
            RMSprop(lr=self.lr),
            repeat=self.critic_steps,
            clip_weights=self.clip,
            distance="critic",
        )
        generator = RMSprop(lr=self.lr_generator)
        return _spec(self, data, "WGAN", "arXiv:1701.07875", critic, generator)


class WGANGP(Variant):
    """Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)."""

    name = "wgan-gp"

    latent: int = 128
    width: int = 32
    penalty: float = 10.0
    critic_steps: int = 5
    lr: float = 1e-3
    lr_generator: float = 5e-4
    decay: bool = True
    """The generator's rate decays to 0."""
    decay_start: float = 0.0
    """The fraction of the run after which the decay starts; if not 0, the critic's decays, too."""
    batch: int = 64
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        decay = Decay(start=self.decay_start) if self.decay else None
        critic = Update(
            "C",
            {"critic": SCORE, "penalty": f"{self.penalty:g} * gradient_penalty(C, x, fake)"},
            Adam(lr=self.lr, betas=(0.5, 0.9), decay=decay if self.decay_start else None),
            repeat=self.critic_steps,
            distance="critic",
        )
        generator = Adam(lr=self.lr_generator, betas=(0.5, 0.9), decay=decay)
        return _spec(self, data, "WGAN-GP", "arXiv:1704.00028", critic, generator)


def _spec(
    variant: WGAN | WGANGP,
    data: Fields,
    title: str,
    source: str,
    critic: Update,
    optimizer: Adam | RMSprop,
) -> Spec:
    """Shared by the two: networks, the generator's loss, the task."""
    image = data.image
    return Spec(
        title=title,
        source=source,
        draws={"x": image, "z": Normal(variant.latent)},
        networks={
            "G": Network({"z": ()}, deconv_stack(image, variant.width), init=Gaussian(0.02)),
            "C": Network({"x": ()}, [*conv_stack(image, variant.width), Linear(1)], init=He()),
        },
        let={"fake": "G(z)"},
        round=[critic, Update("G", {"critic": "-mean(C(fake))"}, optimizer)],
        steps=variant.steps,
        ema={"G": 0.999},
        tasks={"generate": "G(z)", "critic": Task(kind="score", output="-C(x)")},
        batch=variant.batch,
    )


@hookimpl
def ganzoo_variants():
    return [WGAN, WGANGP]
