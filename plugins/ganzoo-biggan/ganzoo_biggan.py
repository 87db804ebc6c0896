"""SNGAN, SAGAN and BigGAN: residual networks with spectral norm, for images of 16 to 256 pixels.

SNGAN: Miyato et al. 2018, arXiv:1802.05957; with classes, by projection: arXiv:1802.05637. SAGAN:
Zhang et al. 2018, arXiv:1805.08318. BigGAN: Brock et al. 2018, arXiv:1809.11096. Kept of all: the
hinge loss; residual blocks with nearest-neighbour upsampling and average pooling; a discriminator
with spectral norm whose last features are summed over space; with classes, class-conditional batch
norm, and a discriminator that adds the scalar product of its features and an embedded class. Of
SAGAN: spectral norm in both networks, one attention layer in each, two learning rates. Of BigGAN: a
shared class embedding; conditional norms in the generator that are linear maps of it and of a chunk
of the latent; orthogonal initial weights and an orthogonality penalty on the generator's; a moving
average that starts late; and truncation as a number of the task. Presets with the authors'
settings: sngan-cifar10, sagan-imagenet128, biggan-cifar10, biggan-imagenet128.

Changed: the defaults are small; both networks use the same batch size (the authors of SNGAN give
the generator twice as many fakes); no noise is added to real images; moving averages are published
for SNGAN and SAGAN, whose authors use none.
"""

from typing import ClassVar, Literal

from ganzoo import Fields, Layer, Spec, Task, Variant, hookimpl
from ganzoo.errors import DataError
from ganzoo.spec import (
    Adam,
    Attention,
    BatchNorm,
    CondNorm,
    Conv,
    Decay,
    Downsample,
    Embedding,
    Gaussian,
    GlobalPool,
    Image,
    Inject,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Orthogonal,
    Plain,
    ReLU,
    Reshape,
    Residual,
    Scale,
    Spectral,
    Tanh,
    Update,
    Upsample,
    Xavier,
)

Init = Xavier | Gaussian | Orthogonal
ROOT2 = 2**0.5


class _Residual(Variant):
    """Shared by the three: the blocks, the discriminator, and the round."""

    title: ClassVar[str]
    source: ClassVar[str]

    conditional: bool = True
    """Condition both networks on the class."""
    width: int = 64
    """Channels of the generator at its first block; of 64 pixels and more, half at each size."""
    discriminator_width: int = 64
    """Channels of the discriminator at its last block, likewise."""
    attention: int = 0
    """Side of the maps with an attention layer in each network; 0: none."""
    lr: float = 2e-4
    lr_generator: float = 2e-4
    critic_steps: int = 1
    batch: int = 64
    steps: int = 20_000

    # ---------------------------------------------------------------------------- blocks

    def sides(self, size: int) -> list[int]:
        """4, 8, ... up to the size of the images."""
        found = [4 * 2**i for i in range(20) if 4 * 2**i <= size]
        if found[-1:] != [size] or size < 8:
            raise DataError(
                f"{self.name} draws images of 8, 16, 32, ... pixels, not {size}; for a folder, "
                "use folder:PATH,size=32"
            )
        return found

    def seen(self, side: int) -> list[Layer]:
        """The attention layer for maps of this size, if any; its initial scale is zero."""
        if side != self.attention:
            return []
        return [Residual((Attention(weight=Spectral()), Scale(0)))]

    def up(self, channels: int, norm: Layer, other: Layer, gain: float = 1.0) -> Residual:
        """A block of the generator that doubles the size."""
        conv = Conv(channels, 3, gain=gain)
        layers = (norm, ReLU(), Upsample(), conv, other, ReLU(), conv)
        return Residual(layers, (Upsample(), Conv(channels, 1)))

    def discriminator(
        self, image: Image, label: Label | None, init: Init, gain: float = 1.0
    ) -> Network:
        """The discriminator: downsampling blocks, blocks of equal size, a sum, a score."""
        sides = self.sides(image.size)
        layers: list[Layer] = []
        # up to 32 pixels: two blocks down and two of equal size, of one width; else down to 4
        small, last = image.size <= 32, self.discriminator_width
        wide = last
        for index, side in enumerate(sides[:0:-1][: 2 if small else None]):
            wide = last if small else max(8, min(last, last // 16 * 2**index))
            conv = Conv(wide, 3, gain=gain)
            begins = () if index == 0 else (ReLU(),)
            shortcut = (Conv(wide, 1), Downsample())
            layers.append(Residual((*begins, conv, ReLU(), conv, Downsample()), shortcut))
            layers += self.seen(side // 2)
        conv = Conv(last, 3, gain=gain)
        for index in range(2 if small else 1):
            shortcut = (Conv(last, 1),) if index == 0 and wide != last else ()
            layers.append(Residual((ReLU(), conv, ReLU(), conv), shortcut))
        layers += [ReLU(), GlobalPool("sum")]
        if label is None:
            return Network({"x": ()}, (*layers, Linear(1)), init=init, weight=Spectral())
        embedded = Inject("y", (Embedding(label.classes, self.discriminator_width),), "dot")
        layers.append(Residual((Linear(1),), (embedded,)))
        return Network({"x": (), "y": ()}, layers, init=init, weight=Spectral())

    def wide(self, side: int, size: int) -> int:
        """Channels of the generator where it makes maps of this size."""
        return max(8, self.width if size <= 32 else self.width * 8 // max(side, 8))

    def adam(self, lr: float) -> Adam:
        """The optimizer of one of the networks."""
        return Adam(lr=lr, betas=(0, 0.9))

    def round(self, told: str, more: dict[str, str] | None = None) -> list[Update]:
        hinge = {"real": f"hinge(D(x{told}), 1)", "fake": f"hinge(D(fake{told}), -1)"}
        fool = {"fool": f"-mean(D(fake{told}))", **(more or {})}
        return [
            Update("D", hinge, self.adam(self.lr), repeat=self.critic_steps),
            Update("G", fool, self.adam(self.lr_generator)),
        ]


class SNGAN(_Residual):
    """Spectral norm and the hinge loss, with residual networks (Miyato et al. 2018)."""

    name = "sngan"
    title = "SNGAN"
    source = "arXiv:1802.05957"

    latent: int = 128
    conditional: bool = False
    critic_steps: int = 5
    decay: bool = True
    """The learning rates decay linearly to 0."""
    average: float = 0.999
    """Decay of the generator's moving average per round."""

    def adam(self, lr: float) -> Adam:
        falls = Decay("linear", start=0, final=0) if self.decay else None
        return Adam(lr=lr, betas=(0, 0.9), decay=falls)

    def spec(self, data: Fields) -> Spec:
        image, label = data.image, data.label if self.conditional else None
        told = ", y" if label else ""
        return Spec(
            title=self.title,
            source=self.source,
            draws={"x": image, **({"y": label} if label else {}), "z": Normal(self.latent)},
            networks={
                "G": self.generator(image, label),
                "D": self.discriminator(image, label, Xavier(), ROOT2),
            },
            let={"fake": f"G(z{told})"},
            round=self.round(told),
            steps=self.steps,
            ema={"G": self.average},
            tasks={"generate": f"G(z{told})"},
            batch=self.batch,
        )

    def generator(self, image: Image, label: Label | None) -> Network:
        # a gain and a bias for each class, initially those of the plain norm
        norm: Layer = CondNorm("y", weight=Plain(), gain=0) if label else BatchNorm()
        first = self.wide(4, image.size)
        layers: list[Layer] = [Linear(16 * first), Reshape((first, 4, 4))]
        for side in self.sides(image.size)[1:]:
            layers.append(self.up(self.wide(side, image.size), norm, norm, ROOT2))
            layers += self.seen(side)
        layers += [BatchNorm(), ReLU(), Conv(image.channels, 3), Tanh()]
        told = {"y": (OneHot(label.classes),)} if label else {}
        return Network({"z": (), **told}, layers, init=Xavier(), weight=self.wrapped())

    def wrapped(self) -> Spectral | None:
        """How the weights of the generator are reparametrized."""
        return None


class SAGAN(SNGAN):
    """Spectral norm in both networks, attention, two rates (Zhang et al. 2018)."""

    name = "sagan"
    title = "SAGAN"
    source = "arXiv:1805.08318"

    conditional: bool = True
    attention: int = 16
    lr: float = 4e-4
    lr_generator: float = 1e-4
    critic_steps: int = 1
    decay: bool = False

    def wrapped(self) -> Spectral | None:
        return Spectral()


class BigGAN(_Residual):
    """Latents in every block, a shared embedding, truncation, large batches (Brock et al. 2018)."""

    name = "biggan"

    chunk: int = 16
    """The size of the latent chunk of each block."""
    embedding: int = 32
    """The size of the shared class embedding."""
    init: Literal["orthogonal", "gaussian"] = "orthogonal"
    """The initial weights; gaussian is N(0, 0.02)."""
    orthogonal: float = 1e-4
    """Weight of the penalty on the generator's weights; 0 leaves it out."""
    average: float = 0.999
    """Decay of the moving average per round."""
    average_from: int = 1_000
    """The round in which averaging starts; before, the average is a copy."""
    attention: int = 16
    lr: float = 4e-4
    lr_generator: float = 1e-4
    beta: float = 0.999
    """The second of Adam's betas."""

    def adam(self, lr: float) -> Adam:
        return Adam(lr=lr, betas=(0, self.beta), eps=1e-6)

    def spec(self, data: Fields) -> Spec:
        image, label = data.image, data.label if self.conditional else None
        told = ", y" if label else ""
        blocks = len(self.sides(image.size)) - 1
        first = Gaussian(0.02) if self.init == "gaussian" else Orthogonal()
        networks = {
            "G": self.generator(image, label, first),
            "D": self.discriminator(image, label, first),
        }
        if label:
            shared = (Embedding(label.classes, self.embedding),)
            networks["Y"] = Network({"y": shared}, (), init=first)

        def made(z: str) -> str:
            parts = f"part({z}, 1, {blocks + 1})"
            if label:
                parts = f"concatenate({parts}, rows(Y(y), {blocks}))"
            return f"G(part({z}, 0, 1), {parts})"

        more = {"orthogonal": f"{self.orthogonal:g} * orthogonal(G)"} if self.orthogonal else {}
        of_d, of_g = self.round(told, more)
        of_g = of_g.replace(train=("G", "Y") if label else ("G",), name="G")
        average = f"where(step < {self.average_from}, 0, {self.average:g})"
        averaged = {name: average for name in ("G", "Y") if name in networks}
        return Spec(
            title="BigGAN",
            source="arXiv:1809.11096",
            draws={
                "x": image,
                **({"y": label} if label else {}),
                "z": Normal(shape=(blocks + 1, self.chunk)),
            },
            networks=networks,
            let={"fake": made("z")},
            round=[of_d, of_g],
            steps=self.steps,
            ema=averaged,
            tasks={
                "generate": Task(
                    "generate", made("truncate(z, truncation)"), numbers={"truncation": 2.0}
                )
            },
            batch=self.batch,
        )

    def generator(self, image: Image, label: Label | None, init: Init) -> Network:
        first = self.wide(4, image.size)
        layers: list[Layer] = [Linear(16 * first), Reshape((first, 4, 4))]
        for row, side in enumerate(self.sides(image.size)[1:]):
            # both norms of a block read its chunk; the sum of class and latent is their one map
            norm = CondNorm("c", row=row)
            layers.append(self.up(self.wide(side, image.size), norm, norm))
            layers += self.seen(side)
        layers += [BatchNorm(), ReLU(), Conv(image.channels, 3), Tanh()]
        return Network({"z": (), "c": ()}, layers, init=init, weight=Spectral())


class SNGANCIFAR10(SNGAN):
    """SNGAN with the authors' settings for CIFAR-10."""

    name = "sngan-cifar10"

    width: int = 256
    discriminator_width: int = 128
    steps: int = 50_000


class SAGANImageNet128(SAGAN):
    """SAGAN with the authors' settings for ImageNet at 128 pixels."""

    name = "sagan-imagenet128"

    width: int = 1024
    discriminator_width: int = 1024
    attention: int = 32
    batch: int = 256
    steps: int = 1_000_000


class BigGANCIFAR10(BigGAN):
    """BigGAN with the authors' settings for CIFAR-10: smaller, without attention."""

    name = "biggan-cifar10"

    width: int = 256
    discriminator_width: int = 256
    chunk: int = 32
    embedding: int = 128
    init: Literal["orthogonal", "gaussian"] = "gaussian"
    orthogonal: float = 0.0
    average: float = 0.9999
    attention: int = 0
    lr: float = 2e-4
    lr_generator: float = 2e-4
    critic_steps: int = 4
    batch: int = 50
    steps: int = 125_000


class BigGANImageNet128(BigGAN):
    """BigGAN with the paper's settings for ImageNet at 128 pixels, 96 channels."""

    name = "biggan-imagenet128"

    width: int = 1536
    discriminator_width: int = 1536
    chunk: int = 20
    embedding: int = 128
    average: float = 0.9999
    average_from: int = 20_000
    attention: int = 64
    lr: float = 2e-4
    lr_generator: float = 5e-5
    critic_steps: int = 2
    batch: int = 2048
    steps: int = 150_000


@hookimpl
def ganzoo_variants():
    return [
        SNGAN,
        SNGANCIFAR10,
        SAGAN,
        SAGANImageNet128,
        BigGAN,
        BigGANCIFAR10,
        BigGANImageNet128,
    ]
