"""GANs that learn an encoder, too: BiGAN, ALI and the Wasserstein BiGAN.

BiGAN: Donahue et al. 2016, arXiv:1605.09782, the permutation-invariant MNIST nets of the
authors' code. Kept: three layers each, the latent brought in at the second layer of the
discriminator and of the generator, batch norm without gain and bias, all networks stepping
at once from one forward pass with the encoder's labels flipped too, Adam 2e-4 with beta1
0.5, L2 of 2.5e-5, batch 128, a 50 number uniform latent. Changed: images in [-1, 1] and tanh,
fewer rounds, and a moving average of encoder and generator is published. The dense discriminator
has dropout instead of batch norm: pairs from the encoder and from the generator are two batches,
and normalising each separately hides the magnitude of the codes, which then grows without bound.
The encoder's initial weights are a tenth as large (`start`): before batch norm their magnitude has
no effect, and smaller weights change faster. The authors let the rate decay to 1 % over the second
half (`final=0.01`); in their own log the codes get worse meanwhile, so by default it is constant.
`filters=32` replaces the first layers by convolutions that start with this many channels, with
batch norm in the discriminator's, too. `gamma` adds R1 and R2 (Mescheder et al. 2018,
arXiv:1801.04406), which the paper does not have: the squared gradients of the discriminator at
pairs of both kinds. It then has no batch norm, and the initial weights of He.

ALI: Dumoulin et al. 2016, arXiv:1606.00704. Kept: the encoder is a Gaussian for each
image, of which a sample is used; discriminator with a branch for image and latent each,
dropout on what it sees, Adam 1e-4 with beta1 0.5, batch 100. Changed: nets for small
images, and a moving average of encoder and generator is published. `gamma` is that of BiGAN.

Wasserstein BiGAN: the loss of WGAN-GP (arXiv:1704.00028) on pairs of image and code. Kept:
one gradient norm over image and code together at one random point for each pair, penalty
10, five critic steps, Adam with betas (0.5, 0.9), batch 64, normal latent, no normalisation in
the critic. Changed: nets for small images, and the rates as in this zoo's WGAN-GP: 1e-3 for the
critic, 5e-4 falling to 0 for the two others, in place of 1e-4.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Decay,
    Default,
    Dropout,
    Flatten,
    Gaussian,
    He,
    Inject,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    ReLU,
    Reshape,
    Skip,
    Tanh,
    Tap,
    Task,
    Together,
    Uniform,
    Update,
    conv_stack,
    deconv_stack,
)

LEAKY = LeakyReLU(0.2)


def joint(optimizer: Adam, gamma: float = 0.0) -> Together:
    """The updates of BiGAN and ALI: D distinguishes pairs (x, code) from pairs (fake, z).

    Both sides step at the same time. The labels of *both* terms are flipped for encoder and
    generator; with the generator's term alone the encoder would learn nothing.

    Args:
        gamma: weight of the discriminator's squared gradients at pairs of both kinds.
    """
    told = {"data": "bce(D(x, code), 1)", "model": "bce(D(fake, z), 0)"}
    if gamma:
        told |= {
            "r1": f"{gamma / 2:g} * r1(D, (x, code))",
            "r2": f"{gamma / 2:g} * r1(D, (fake, z))",
        }
    return Together(
        [
            Update("D", told, optimizer),
            Update(
                ("E", "G"),
                {"data": "bce(D(x, code), 0)", "model": "bce(D(fake, z), 1)"},
                optimizer,
            ),
        ]
    )


class BiGAN(Variant):
    """Bidirectional GAN, fully connected, or convolutional by `filters` (Donahue et al. 2016)."""

    name = "bigan"

    latent: int = 50
    width: int = 1024
    filters: int = 0
    lr: float = 2e-4
    dropout: float = 0.3
    weight_decay: float = 2.5e-5
    start: float = 0.002
    final: float = 1.0
    gamma: float = 0.0
    """Weight of R1 and R2 on pairs; if not 0, D has no batch norm, and He's initial weights."""
    batch: int = 128
    steps: int = 60_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        channels, height, width = image.shape
        norm = BatchNorm(affine=False)
        adam = Adam(
            lr=self.lr,
            betas=(0.5, 0.999),
            weight_decay=self.weight_decay,
            decay=Decay("exponential", start=0.5, final=self.final) if self.final < 1 else None,
        )
        drop = [Dropout(self.dropout)] if self.dropout else []
        latent_added = Inject("z", (Linear(self.width, bias=False),), join="add")
        first, second = Linear(self.width, bias=False), Linear(self.width, bias=False)
        if self.filters:
            draw = deconv_stack(image, self.filters)
            see = [
                *conv_stack(image, self.filters, norm=BatchNorm(), activation=LEAKY),
                Flatten(),
            ]
            plain = [*conv_stack(image, self.filters, activation=LEAKY), Flatten()]
            encode, discriminator = [], [*drop]
        else:
            draw = [
                Skip((Linear(self.width, bias=False), norm, ReLU())),  # beside it the latent again
                *(Linear(self.width, bias=False), norm, ReLU()),
                *(Linear(channels * height * width), Tanh(), Reshape(image.shape)),
            ]
            see = plain = [Flatten()]
            encode, discriminator = [first, LEAKY], [Linear(self.width), LEAKY, *drop]
        encode += [*(second, norm, LEAKY, Tap("features")), Linear(self.latent)]
        discriminator += [*(Linear(self.width), latent_added, LEAKY, *drop), Linear(1)]
        init = He() if self.gamma else Default()
        return Spec(
            title="BiGAN",
            source="arXiv:1605.09782",
            draws={"x": image, "z": Uniform(self.latent)},
            networks={
                "G": Network({"z": ()}, draw),
                "E": Network({"x": see}, encode, init=Gaussian(self.start)),
                "D": Network(
                    {"x": plain if self.gamma else see, "z": ()}, discriminator, init=init
                ),
            },
            let={"code": "E(x)", "fake": "G(z)"},
            round=[joint(adam, self.gamma)],
            steps=self.steps,
            ema={"E": 0.9995, "G": 0.9995},
            tasks={
                "generate": "G(z)",
                "encode": "code",
                "features": Task(kind="encode", output="E.features(x)"),
                "reconstruct": "G(code)",
            },
            batch=self.batch,
        )


class ALI(Variant):
    """Adversarially learned inference: a Gaussian code for each image (Dumoulin et al. 2016)."""

    name = "ali"

    latent: int = 64
    width: int = 32
    hidden: int = 256
    dropout: float = 0.2
    lr: float = 1e-4
    gamma: float = 0.0
    """Weight of R1 and R2 on pairs; if not 0, D has no batch norm, and He's initial weights."""
    batch: int = 100
    steps: int = 30_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        adam = Adam(lr=self.lr, betas=(0.5, 0.999))
        leaky, drop = LeakyReLU(0.01), [Dropout(self.dropout)] if self.dropout else []
        encode = [
            *conv_stack(image, self.width, norm=BatchNorm(), activation=leaky),
            *(Linear(self.hidden, bias=False), BatchNorm(), leaky, Tap("features")),
            Linear(2 * self.latent),
        ]
        norm = None if self.gamma else BatchNorm()
        see = conv_stack(image, self.width, norm=norm, activation=leaky)
        discriminator = [
            *(*drop, Linear(self.hidden), leaky),
            *(*drop, Linear(self.hidden), leaky),
            Linear(1),
        ]
        return Spec(
            title="ALI",
            source="arXiv:1606.00704",
            draws={"x": image, "z": Normal(self.latent), "e": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, deconv_stack(image, self.width), init=Gaussian(0.02)),
                "E": Network({"x": ()}, encode, init=Gaussian(0.02)),
                "D": Network(
                    {
                        "x": [*drop, *see, Flatten()],
                        "z": [*drop, Linear(self.hidden), leaky],
                    },
                    discriminator,
                    init=He() if self.gamma else Gaussian(0.02),
                ),
            },
            let={"h": "E(x)", "code": "reparameterize(h, e)", "fake": "G(z)"},
            round=[joint(adam, self.gamma)],
            steps=self.steps,
            ema={"E": 0.9995, "G": 0.9995},
            tasks={
                "generate": "G(z)",
                "encode": "average(h)",
                "features": Task(kind="encode", output="E.features(x)"),
                "reconstruct": "G(average(h))",
                "sampled": Task(kind="encode", output="code"),
            },
            batch=self.batch,
        )


class WBiGAN(Variant):
    """Wasserstein BiGAN: one critic of image and code, with gradient penalty."""

    name = "wbigan"

    latent: int = 64
    width: int = 32
    hidden: int = 256
    penalty: float = 10.0
    critic_steps: int = 5
    lr: float = 1e-3
    lr_generator: float = 5e-4
    decay: bool = True
    batch: int = 64
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        slower = Adam(
            lr=self.lr_generator,
            betas=(0.5, 0.9),
            decay=Decay(start=0.0) if self.decay else None,
        )
        encode = [
            *conv_stack(image, self.width, norm=BatchNorm(), activation=ReLU()),
            *(Linear(self.hidden, bias=False), BatchNorm(), ReLU(), Tap("features")),
            Linear(self.latent),
        ]
        discriminator = [*(Linear(self.hidden), LEAKY), *(Linear(self.hidden), LEAKY), Linear(1)]
        gap = "mean(C(fake, z)) - mean(C(x, code))"
        penalty = f"{self.penalty:g} * gradient_penalty(C, (x, code), (fake, z))"
        return Spec(
            title="Wasserstein BiGAN",
            source="arXiv:1605.09782, arXiv:1704.00028",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, deconv_stack(image, self.width), init=Gaussian(0.02)),
                "E": Network({"x": ()}, encode, init=Gaussian(0.02)),
                "C": Network(
                    {
                        "x": [*conv_stack(image, self.width), Flatten()],
                        "z": [Linear(self.hidden), LEAKY],
                    },
                    discriminator,
                    init=He(),
                ),
            },
            let={"code": "E(x)", "fake": "G(z)"},
            round=[
                Update(
                    "C",
                    {"critic": gap, "penalty": penalty},
                    Adam(lr=self.lr, betas=(0.5, 0.9)),
                    repeat=self.critic_steps,
                    distance="critic",
                ),
                Update(("E", "G"), {"critic": "mean(C(x, code)) - mean(C(fake, z))"}, slower),
            ],
            steps=self.steps,
            ema={"E": 0.9995, "G": 0.9995},
            tasks={
                "generate": "G(z)",
                "encode": "code",
                "features": Task(kind="encode", output="E.features(x)"),
                "reconstruct": "G(code)",
            },
            batch=self.batch,
        )


@hookimpl
def ganzoo_variants():
    return [BiGAN, ALI, WBiGAN]
