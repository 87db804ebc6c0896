"""The whole zoo in small: a Spec for each row of the design's table, on tiny data.

They have the structure of the papers' models and the size of a test: a handful of
units, images of 8x8 (16x16 where two sizes are needed), four samples in a batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ganzoo.spec import (
    SGD,
    Adam,
    BatchNorm,
    Conv,
    Decay,
    Deconv,
    Fields,
    Flatten,
    Gaussian,
    He,
    Image,
    Inject,
    Label,
    LayerNorm,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Normal,
    OneHot,
    ReLU,
    Reshape,
    Residual,
    RMSprop,
    Skip,
    Spec,
    Stage,
    Tanh,
    Tap,
    Text,
    Together,
    Uniform,
    Update,
    Upsample,
    Xavier,
)

BATCH = 4
PIXELS = (1, 8, 8)
CLASSES = 3


def gan() -> Spec:
    return Spec(
        title="GAN",
        source="arXiv:1406.2661",
        draws={"x": Image(PIXELS), "z": Uniform(5, -1.7, 1.7)},
        networks={
            "G": Network(
                {"z": ()}, (Linear(8), ReLU(), Linear(64), Tanh(), Reshape(PIXELS)), init=He()
            ),
            "D": Network({"x": ()}, (Flatten(), Maxout(8, 3), Maxout(6, 3), Linear(1))),
        },
        let={"fake": "G(z)"},
        round=[
            Update(
                ("D",),
                {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"},
                SGD(0.1, momentum=0.5),
            ),
            Update(("G",), {"adversarial": "bce(D(fake), 1)"}, SGD(0.1, momentum=0.5)),
        ],
        steps=20,
        tasks={"generate": "G(z)"},
        batch=BATCH,
    )


def dcgan() -> Spec:
    return Spec(
        title="DCGAN",
        source="arXiv:1511.06434",
        draws={"x": Image(PIXELS), "z": Uniform(6)},
        networks={"G": _generator(), "D": _discriminator()},
        let={"fake": "G(z)"},
        round=[
            Update(("D",), {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
            Update(("G",), {"adversarial": "bce(D(fake), 1)"}),
        ],
        steps=20,
        ema={"G": 0.9},
        tasks={"generate": "G(z)"},
        batch=BATCH,
    )


def cgan() -> Spec:
    return Spec(
        title="CGAN",
        source="arXiv:1411.1784",
        draws={"x": Image(PIXELS), "y": Label(CLASSES), "z": Normal(5)},
        networks={
            "G": Network(
                {"z": (Linear(6), ReLU()), "y": (OneHot(CLASSES), Linear(4), ReLU())},
                (Linear(8), ReLU(), Linear(64), Tanh(), Reshape(PIXELS)),
                init=Xavier(),
            ),
            "D": Network(
                {"x": (Flatten(), Maxout(6, 2)), "y": (OneHot(CLASSES), Maxout(4, 2))},
                (Maxout(6, 2), Linear(1)),
            ),
        },
        let={"fake": "G(z, y)"},
        round=[
            Update(("D",), {"real": "bce(D(x, y), 1)", "fake": "bce(D(fake, y), 0)"}),
            Update(("G",), {"adversarial": "bce(D(fake, y), 1)"}),
        ],
        steps=20,
        tasks={"generate": "G(z, y)"},
        batch=BATCH,
    )


def cdcgan() -> Spec:
    """The label enters every layer of both networks."""
    label = {"y": (OneHot(CLASSES),)}
    adam = Adam(weight_decay=2.5e-5, decay=Decay("linear", 0.5))
    return Spec(
        title="Conditional DCGAN",
        source="arXiv:1511.06434",
        draws={"x": Image(PIXELS), "y": Label(CLASSES), "z": Uniform(5)},
        networks={
            "G": Network(
                {"z": (), **label},
                (
                    Inject("y"),
                    Linear(8, bias=False),
                    BatchNorm(affine=False),
                    ReLU(),
                    Inject("y"),
                    Linear(16),
                    Reshape((4, 2, 2)),
                    BatchNorm(affine=False),
                    ReLU(),
                    Inject("y"),
                    Deconv(4, 5),
                    ReLU(),
                    Inject("y"),
                    Deconv(1, 5),
                    Tanh(),
                ),
                init=Gaussian(),
            ),
            "D": Network(
                {"x": (), **label},
                (
                    Inject("y"),
                    Conv(4, 5, 2),
                    LeakyReLU(),
                    Inject("y"),
                    Conv(6, 5, 2),
                    BatchNorm(affine=False),
                    LeakyReLU(),
                    Flatten(),
                    Inject("y", (Linear(3), LeakyReLU())),
                    Linear(8),
                    LeakyReLU(),
                    Inject("y"),
                    Linear(1),
                ),
                init=Gaussian(),
            ),
        },
        let={"fake": "G(z, y)"},
        round=[
            Update(("D",), {"real": "bce(D(x, y), 1)", "fake": "bce(D(fake, y), 0)"}, adam),
            Update(("G",), {"adversarial": "bce(D(fake, y), 1)"}, adam),
        ],
        steps=20,
        tasks={"generate": "G(z, y)"},
        batch=BATCH,
    )


def wgan() -> Spec:
    return Spec(
        title="WGAN",
        source="arXiv:1701.07875",
        draws={"x": Image(PIXELS), "z": Normal(6)},
        networks={"G": _generator(), "C": _discriminator()},
        let={"fake": "G(z)"},
        round=[
            Update(
                ("C",),
                {"critic": "mean(C(fake)) - mean(C(x))"},
                RMSprop(5e-5),
                repeat=5,
                clip_weights=0.01,
            ),
            Update(("G",), {"critic": "-mean(C(fake))"}, RMSprop(5e-5)),
        ],
        steps=20,
        tasks={"generate": "G(z)"},
        batch=BATCH,
    )


def wgan_gp() -> Spec:
    adam = Adam(1e-4, (0.5, 0.9))
    return Spec(
        title="WGAN-GP",
        source="arXiv:1704.00028",
        draws={"x": Image(PIXELS), "z": Normal(6)},
        networks={
            "G": Network(
                {"z": ()},
                (
                    Linear(16),
                    Reshape((4, 2, 2)),
                    ReLU(),
                    Deconv(4, 5),
                    ReLU(),
                    Deconv(1, 5),
                    Tanh(),
                ),
            ),
            "C": Network(
                {"x": ()},
                (
                    Conv(4, 5, 2),
                    LeakyReLU(),
                    Conv(6, 5, 2),
                    LayerNorm(),
                    LeakyReLU(),
                    Flatten(),
                    Linear(1),
                ),
            ),
        },
        let={"fake": "G(z)"},
        round=[
            Update(
                ("C",),
                {
                    "critic": "mean(C(fake)) - mean(C(x))",
                    "penalty": "10 * gradient_penalty(C, x, fake)",
                },
                adam,
                repeat=5,
            ),
            Update(("G",), {"critic": "-mean(C(fake))"}, adam),
        ],
        steps=20,
        tasks={"generate": "G(z)"},
        batch=BATCH,
    )


def bigan() -> Spec:
    adam = Adam(weight_decay=2.5e-5, decay=Decay("exponential", 0.5, 0.01))
    return Spec(
        title="BiGAN",
        source="arXiv:1605.09782",
        draws={"x": Image(PIXELS), "z": Uniform(4)},
        networks={
            "G": Network(
                {"z": ()},
                (
                    Linear(8, bias=False),
                    BatchNorm(affine=False),
                    ReLU(),
                    Linear(64),
                    Tanh(),
                    Reshape(PIXELS),
                ),
            ),
            "E": Network(
                {"x": (Flatten(),)},
                (Linear(8, bias=False), BatchNorm(affine=False), LeakyReLU(), Linear(4)),
            ),
            "D": Network(
                {"x": (Flatten(),), "z": (Linear(8, bias=False),)},
                (
                    Linear(8),
                    LeakyReLU(),
                    Linear(8, bias=False),
                    Inject("z", join="add"),
                    BatchNorm(affine=False),
                    LeakyReLU(),
                    Linear(1),
                ),
            ),
        },
        let={"code": "E(x)", "fake": "G(z)"},
        round=[
            Together(
                (
                    Update(
                        ("D",), {"real": "bce(D(x, code), 1)", "fake": "bce(D(fake, z), 0)"}, adam
                    ),
                    Update(
                        ("E", "G"),
                        {"real": "bce(D(x, code), 0)", "fake": "bce(D(fake, z), 1)"},
                        adam,
                    ),
                )
            )
        ],
        steps=20,
        tasks={"generate": "G(z)", "encode": "E(x)", "reconstruct": "G(E(x))"},
        batch=BATCH,
    )


def ali() -> Spec:
    adam = Adam(1e-4)
    return Spec(
        title="ALI",
        source="arXiv:1606.00704",
        draws={"x": Image(PIXELS), "z": Normal(4), "e": Normal(4)},
        networks={
            "G": _generator(),
            "E": Network(
                {"x": ()},
                (
                    Conv(4, 4, 2),
                    BatchNorm(),
                    LeakyReLU(0.01),
                    Conv(6, 4, 2),
                    BatchNorm(),
                    LeakyReLU(0.01),
                    Linear(8),
                ),
                init=Gaussian(0.01),
            ),
            "D": Network(
                {
                    "x": (
                        Conv(4, 4, 2),
                        LeakyReLU(0.01),
                        Conv(6, 4, 2),
                        BatchNorm(),
                        LeakyReLU(0.01),
                        Flatten(),
                    ),
                    "z": (Linear(6), LeakyReLU(0.01)),
                },
                (Linear(8), LeakyReLU(0.01), Linear(1)),
                init=Gaussian(0.01),
            ),
        },
        let={"h": "E(x)", "code": "reparameterize(h, e)", "fake": "G(z)"},
        round=[
            Together(
                (
                    Update(
                        ("D",), {"real": "bce(D(x, code), 1)", "fake": "bce(D(fake, z), 0)"}, adam
                    ),
                    Update(
                        ("E", "G"),
                        {"real": "bce(D(x, code), 0)", "fake": "bce(D(fake, z), 1)"},
                        adam,
                    ),
                )
            )
        ],
        steps=20,
        tasks={
            "generate": "G(z)",
            "encode": "average(h)",
            "reconstruct": "G(average(h))",
            "sampled": {"kind": "reconstruct", "output": "G(code)"},
        },
        batch=BATCH,
    )


def wbigan() -> Spec:
    adam = Adam(1e-4, (0.5, 0.9))
    return Spec(
        title="Wasserstein BiGAN",
        source="arXiv:1605.09782",
        draws={"x": Image(PIXELS), "z": Normal(4)},
        networks={
            "G": _generator(),
            "E": Network(
                {"x": ()},
                (Conv(4, 4, 2), BatchNorm(), ReLU(), Conv(6, 4, 2), BatchNorm(), ReLU(), Linear(4)),
            ),
            "C": Network(
                {
                    "x": (Conv(4, 4, 2), LeakyReLU(), Conv(6, 4, 2), LeakyReLU(), Flatten()),
                    "z": (Linear(6), LeakyReLU()),
                },
                (Linear(8), LeakyReLU(), Linear(1)),
            ),
        },
        let={"code": "E(x)", "fake": "G(z)"},
        round=[
            Update(
                ("C",),
                {
                    "critic": "mean(C(fake, z)) - mean(C(x, code))",
                    "penalty": "10 * gradient_penalty(C, (x, code), (fake, z))",
                },
                adam,
                repeat=5,
            ),
            Update(("E", "G"), {"critic": "mean(C(x, code)) - mean(C(fake, z))"}, adam),
        ],
        steps=20,
        tasks={"generate": "G(z)", "encode": "E(x)", "reconstruct": "G(E(x))"},
        batch=BATCH,
    )


def ganomaly() -> Spec:
    def encoder() -> Network:
        return Network(
            {"x": ()},
            (
                Conv(4, 4, 2, bias=False),
                LeakyReLU(),
                Conv(6, 4, 2, bias=False),
                BatchNorm(),
                LeakyReLU(),
                Linear(5, bias=False),
            ),
            init=Gaussian(),
        )

    return Spec(
        title="GANomaly",
        source="arXiv:1805.06725",
        draws={"x": Image(PIXELS)},
        networks={
            "GE": encoder(),
            "GD": Network(
                {"code": ()},
                (
                    Linear(24, bias=False),
                    Reshape((6, 2, 2)),
                    BatchNorm(),
                    ReLU(),
                    Deconv(4, bias=False),
                    BatchNorm(),
                    ReLU(),
                    Deconv(1, bias=False),
                    Tanh(),
                ),
                init=Gaussian(),
            ),
            "E": encoder(),
            "D": Network(
                {"x": ()},
                (
                    Conv(4, 4, 2, bias=False),
                    LeakyReLU(),
                    Conv(6, 4, 2, bias=False),
                    BatchNorm(),
                    LeakyReLU(),
                    Tap("features"),
                    Linear(1, bias=False),
                ),
                init=Gaussian(),
            ),
        },
        let={"code": "GE(x)", "recon": "GD(code)", "recode": "E(recon)"},
        round=[
            Update(
                ("GE", "GD", "E"),
                {
                    "adversarial": "1 * mse(D.features(x), D.features(recon))",
                    "contextual": "50 * l1(x, recon)",
                    "encoder": "1 * mse(code, recode)",
                },
                name="G",
            ),
            Update(("D",), {"real": "bce(D(x), 1)", "fake": "bce(D(recon), 0)"}),
        ],
        steps=20,
        tasks={
            "score": {"output": "distance(code, recode)", "map": "abs(x - recon)"},
            "reconstruct": "recon",
            "encode": "code",
        },
        batch=BATCH,
    )


def discogan() -> Spec:
    """Unpaired images; first little weight on reconstruction, then half."""

    def generator() -> Network:  # a U-net of two levels
        return Network(
            {"image": ()},
            (
                Conv(4, 4, 2),
                LeakyReLU(),
                Skip((Conv(6, 4, 2), BatchNorm(), LeakyReLU(), Deconv(4), BatchNorm(), ReLU())),
                Deconv(1),
                Tanh(),
            ),
        )

    def discriminator() -> Network:
        return Network(
            {"image": ()},
            (
                Conv(4, 4, 2),
                LeakyReLU(),
                Tap("low"),
                Conv(6, 4, 2),
                BatchNorm(),
                LeakyReLU(),
                Tap("high"),
                Linear(1),
            ),
        )

    adam = Adam(weight_decay=1e-5)

    def stage(name: str, steps: int, reconstruction: float) -> Stage:
        gan, rest = 0.1 * (1 - reconstruction), 0.9 * (1 - reconstruction)
        terms = {
            "adversarial": f"{gan:.6g} * (bce(DB(ab), 1) + bce(DA(ba), 1))",
            "features": f"{rest:.6g} * ("
            "feature_matching(DB.low(b), DB.low(ab)) + feature_matching(DB.high(b), DB.high(ab))"
            " + feature_matching(DA.low(a), DA.low(ba)) + feature_matching(DA.high(a), DA.high(ba))"
            ")",
            "reconstruction": f"{reconstruction:.6g} * (mse(aba, a) + mse(bab, b))",
        }
        return Stage(
            round=(
                Update(
                    ("DA", "DB"),
                    {
                        "real": "bce(DA(a), 1) + bce(DB(b), 1)",
                        "fake": "bce(DA(ba), 0) + bce(DB(ab), 0)",
                    },
                    adam,
                    every=3,
                    on=(0,),
                    name="D",
                ),
                Update(("AB", "BA"), terms, adam, every=3, on=(1, 2), name="G"),
            ),
            steps=steps,
            name=name,
        )

    return Spec(
        title="DiscoGAN",
        source="arXiv:1703.05192",
        draws={
            "a": Image(PIXELS, "a", independent=True),
            "b": Image(PIXELS, "b", independent=True),
        },
        networks={
            "AB": generator(),
            "BA": generator(),
            "DA": discriminator(),
            "DB": discriminator(),
        },
        let={"ab": "AB(a)", "ba": "BA(b)", "aba": "BA(ab)", "bab": "AB(ba)"},
        stages=[stage("start", 12, 0.01), stage("rest", 18, 0.5)],
        tasks={
            "to_b": {"kind": "translate", "output": "AB(a)", "to": "b"},
            "to_a": {"kind": "translate", "output": "BA(b)", "to": "a"},
            "there_and_back": {"kind": "reconstruct", "output": "aba"},
        },
        batch=BATCH,
    )


def stackgan() -> Spec:
    """Stage 1 paints 8x8 from text; stage 2, over a frozen stage 1, paints 16x16."""
    text, condition = 7, 3

    def augmentation() -> Network:  # gives (mean, log std)
        return Network({"t": ()}, (Linear(2 * condition), LeakyReLU()))

    def discriminator(halvings: int) -> Network:
        trunk = []
        for index in range(halvings):
            trunk += [Conv(4 + index, 4, 2), *([BatchNorm()] if index else []), LeakyReLU()]
        return Network(
            {"x": (), "t": (Linear(3), LeakyReLU())},
            (*trunk, Inject("t"), Conv(6, 1), BatchNorm(), LeakyReLU(), Linear(1)),
        )

    def updates(stage: str, critic: str, painters: tuple[str, ...], fake: str, real: str, h: str):
        return (
            Update(
                (critic,),
                {
                    "real": f"bce({critic}({real}, t), 1)",
                    "wrong": f"0.5 * bce({critic}(roll({real}), t), 0)",
                    "fake": f"0.5 * bce({critic}({fake}, t), 0)",
                },
                name=f"critic_{stage}",
            ),
            Update(
                painters,
                {"adversarial": f"bce({critic}({fake}, t), 1)", "kl": f"2 * kl({h})"},
                name=f"painter_{stage}",
            ),
        )

    return Spec(
        title="StackGAN",
        source="arXiv:1612.03242",
        draws={
            "x": Image((3, 16, 16)),
            "t": Text(text, "a frozen sentence encoder"),
            "z": Normal(4),
            "e": Normal(condition),
            "e2": Normal(condition),
        },
        networks={
            "CA": augmentation(),
            "G": Network(
                {"z": (), "c": ()},
                (
                    Linear(16, bias=False),
                    Reshape((4, 2, 2)),
                    BatchNorm(),
                    ReLU(),
                    Upsample(),
                    Conv(4),
                    BatchNorm(),
                    ReLU(),
                    Upsample(),
                    Conv(3),
                    Tanh(),
                ),
            ),
            "D": discriminator(2),
            "CA2": augmentation(),
            "G2": Network(
                {"image": (), "c": ()},
                (
                    Conv(4, 4, 2),
                    ReLU(),
                    Inject("c"),
                    Conv(5, bias=False),
                    BatchNorm(),
                    ReLU(),
                    Residual((Conv(5), BatchNorm(), ReLU(), Conv(5), BatchNorm())),
                    ReLU(),
                    Residual((Conv(4), BatchNorm()), shortcut=(Conv(4, 1),)),
                    ReLU(),
                    Upsample(),
                    Conv(4),
                    BatchNorm(),
                    ReLU(),
                    Upsample(),
                    Conv(3),
                    Tanh(),
                ),
            ),
            "D2": discriminator(3),
        },
        let={
            "small": "resize(x, 8)",
            "h": "CA(t)",
            "c": "reparameterize(h, e)",
            "fake": "G(z, c)",
            "h2": "CA2(t)",
            "c2": "reparameterize(h2, e2)",
            "large": "G2(fake, c2)",
        },
        stages=[
            Stage(
                updates("small", "D", ("G", "CA"), fake="fake", real="small", h="h"),
                steps=20,
                name="small",
            ),
            Stage(
                updates("large", "D2", ("G2", "CA2"), fake="large", real="x", h="h2"),
                steps=40,
                freeze=("CA", "G"),
                name="large",
            ),
        ],
        tasks={"generate": "large", "sketch": {"kind": "generate", "output": "fake"}},
        batch=BATCH,
    )


def _generator() -> Network:
    """DCGAN's generator, from a latent to an image."""
    return Network(
        {"z": ()},
        (
            Linear(24, bias=False),
            Reshape((6, 2, 2)),
            BatchNorm(),
            ReLU(),
            Deconv(4, bias=False),
            BatchNorm(),
            ReLU(),
            Deconv(1),
            Tanh(),
        ),
        init=Gaussian(),
    )


def _discriminator() -> Network:
    """DCGAN's discriminator: no batch norm at the first layer."""
    return Network(
        {"x": ()},
        (
            Conv(4, 4, 2),
            LeakyReLU(),
            Conv(6, 4, 2, bias=False),
            BatchNorm(),
            LeakyReLU(),
            Flatten(),
            Linear(1),
        ),
        init=Gaussian(),
    )


TABLE: dict[str, Callable[[], Spec]] = {
    row.__name__: row
    for row in (
        gan, dcgan, cgan, cdcgan, wgan, wgan_gp, bigan, ali, wbigan, ganomaly, discogan, stackgan,
    )
}  # fmt: skip
"""The rows of the design's table."""


def fields(name: str) -> Fields:
    """What a data set for this row holds."""
    draws = TABLE[name]().data_draws().values()
    return Fields(name=f"tiny-{name}", fields={draw.field: draw for draw in draws})


def arrays(spec: Spec, n: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    """Random data for every field that `spec` draws: `n` samples each, the same for a seed.

    Images are uint8 (n, c, h, w), labels int64 (n,), texts and vectors float32 (n, size).
    """
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for draw in spec.data_draws().values():
        match draw.kind:
            case _ if draw.field in found:
                continue
            case "image":
                found[draw.field] = random.integers(0, 256, (n, *draw.shape), np.uint8)
            case "label":
                found[draw.field] = random.integers(0, draw.classes, n)
            case _:
                found[draw.field] = random.standard_normal((n, draw.size), np.float32)
    return found
