"""GANomaly: anomaly scores from a GAN trained on normal images only.

Akcay et al. 2018, arXiv:1805.06725. An encoder and a decoder reconstruct each image, a second
encoder encodes the reconstruction, and the score is the distance between the two codes. Kept
from the authors' final code: the three generator losses with weights 1, 50 and 1, the
adversarial one on the discriminator's features, batch norm in all nets but in each first
layer, a latent of 100, Adam 2e-4 with beta1 0.5, batch 64, weights normal(0, 0.02), images in
[-1, 1], and a discriminator that scores what was made before the generator's step, so that
the two may step at once. Changed: images at their own size instead of 32x32, 32 channels in
the first layer instead of 64, no reset of a discriminator that wins, and scores always in
evaluation mode (in the authors' code an image's score depends on the others in its batch).
In many descriptions and older code the adversarial loss is on the discriminator's output instead
of its features: `adversarial="bce"`.
"""

from typing import Literal

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Gaussian,
    LeakyReLU,
    Linear,
    Network,
    Tap,
    Task,
    Together,
    Update,
    conv_stack,
    deconv_stack,
)


class GANomaly(Variant):
    """Anomaly scores by encoding twice, learnt from normal images (Akcay et al. 2018)."""

    name = "ganomaly"

    latent: int = 100
    width: int = 32
    adversarial: Literal["features", "bce"] = "features"
    quantile: float = 0.95
    lr: float = 2e-4
    batch: int = 64
    steps: int = 5_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        adam = Adam(lr=self.lr, betas=(0.5, 0.999))
        down = conv_stack(image, self.width, norm=BatchNorm(), activation=LeakyReLU(0.2))
        encoder = Network({"x": ()}, [*down, Linear(self.latent, bias=False)], init=Gaussian(0.02))
        discriminator = [*down, Tap("features"), Linear(1)]
        fool = {
            "features": "1 * mse(D.features(x), D.features(recon))",
            "bce": "1 * bce(D(recon), 1)",
        }[self.adversarial]
        return Spec(
            title="GANomaly",
            source="arXiv:1805.06725",
            draws={"x": image},
            networks={
                "GE": encoder,
                "GD": Network({"code": ()}, deconv_stack(image, self.width), init=Gaussian(0.02)),
                "E": encoder,
                "D": Network({"x": ()}, discriminator, init=Gaussian(0.02)),
            },
            let={"code": "GE(x)", "recon": "GD(code)", "recode": "E(recon)"},
            round=[
                # the discriminator gets the reconstructions from before the generator's step
                Together(
                    [
                        Update(
                            ("GE", "GD", "E"),
                            {
                                "adversarial": fool,
                                "contextual": "50 * l1(x, recon)",
                                "encoder": "1 * mse(code, recode)",
                            },
                            adam,
                            name="G",
                        ),
                        Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(recon), 0)"}, adam),
                    ]
                )
            ],
            steps=self.steps,
            tasks={
                "score": Task(
                    kind="score",
                    output="distance(code, recode)",
                    map="abs(x - recon)",
                    quantile=self.quantile,
                ),
                "reconstruct": "recon",
                "encode": "code",
            },
            batch=self.batch,
        )


@hookimpl
def ganzoo_variants():
    return [GANomaly]
