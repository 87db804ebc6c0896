"""BEGAN: a discriminator that is an autoencoder (Berthelot et al. 2017, arXiv:1703.10717).

Kept: the loss of an image is the mean absolute error of the discriminator's reconstruction; the
discriminator minimizes it for data, and maximizes it for fakes with the weight k; k is adapted in
steps of 0.001 within [0, 1], so that the loss of fakes stays at the fraction gamma of that of data;
both networks step at the same time; the measure of convergence is logged as the state
`convergence`; the generator has the architecture of the decoder, with convolutions and ELU, two per
size, and channels that grow by the width at each halving on the way down; codes and noise of 64
numbers, uniform in [-1, 1]; batch 16; Adam 8e-5 with beta1 of 0.5, halved every 100,000 rounds,
twice (the rates of a well-known reimplementation, carpedm20's; the paper halves 1e-4 when it
stalls). Preset with the authors' sizes for 64 pixels: began-64. Changed: the default has a quarter
of their width, and no vanishing residuals, which the paper's images do not use either.
"""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    ELU,
    Adam,
    Conv,
    Flatten,
    Image,
    Linear,
    Network,
    Reshape,
    Running,
    Together,
    Uniform,
    Update,
    Upsample,
    halvings,
)


class BEGAN(Variant):
    """An autoencoder as discriminator, kept in balance with the generator (Berthelot 2017)."""

    name = "began"

    latent: int = 64
    width: int = 32
    gamma: float = 0.5
    """Diversity: the loss of fakes as a fraction of that of data, at equilibrium."""
    step: float = 0.001
    """Of k."""
    lr: float = 8e-5
    halving: int = 100_000
    """Rounds after which the rate is halved, and then halved once more."""
    batch: int = 16
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        late = f"where(step < {2 * self.halving}, {self.lr / 2:g}, {self.lr / 4:g})"
        adam = Adam(f"where(step < {self.halving}, {self.lr:g}, {late})", (0.5, 0.999))
        balance = f"{self.gamma:g} * real - made"
        decoder = self.decoder(image)
        return Spec(
            title="BEGAN",
            source="arXiv:1703.10717",
            draws={"x": image, "z": Uniform(self.latent)},
            networks={
                "G": Network({"z": ()}, decoder),
                "D": Network({"x": ()}, [*self.encoder(image), *decoder]),
            },
            let={"fake": "G(z)", "real": "l1(x, D(x))", "made": "l1(fake, D(fake))"},
            state={
                "k": Running(f"clip(k + {self.step:g} * ({balance}), 0, 1)"),
                "convergence": Running(f"real + abs({balance})"),
            },
            round=[
                Together(
                    [
                        Update("D", {"real": "real", "fake": "-k * made"}, adam),
                        Update("G", {"fake": "made"}, adam),
                    ]
                )
            ],
            steps=self.steps,
            tasks={"generate": "fake", "reconstruct": "D(x)"},
            batch=self.batch,
        )

    def encoder(self, image: Image) -> list:
        layers = [Conv(self.width), ELU()]
        powers = halvings(min(image.shape[1:])) - 1
        for power in range(1, powers + 2):
            wide = power * self.width
            layers += [Conv(wide), ELU(), Conv(wide), ELU()]
            if power <= powers:
                layers += [Conv(wide + self.width, 3, 2), ELU()]
        return [*layers, Flatten(), Linear(self.latent)]

    def decoder(self, image: Image) -> list:
        height, width = image.shape[1:]
        powers = halvings(min(height, width)) - 1
        start = (self.width, height // 2**powers, width // 2**powers)
        layers = [Linear(start[0] * start[1] * start[2]), Reshape(start)]
        for power in range(powers + 1):
            layers += [Upsample()] if power else []
            layers += [Conv(self.width), ELU(), Conv(self.width), ELU()]
        return [*layers, Conv(image.channels)]


class BEGAN64(BEGAN):
    """BEGAN with the authors' sizes for images of 64 pixels."""

    name = "began-64"

    width: int = 128
    steps: int = 300_000


@hookimpl
def ganzoo_variants():
    return [BEGAN, BEGAN64]
