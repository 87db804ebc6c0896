"""R3GAN, a modern baseline (Huang et al. 2024, arXiv:2501.05441), for images of 16 to 256 pixels.

Kept: the relativistic pairing loss with R1 and R2 in every round; residual blocks of 1x1, grouped
3x3 and 1x1 convolutions without normalisation, whose last weights begin at zero; a learned 4x4
basis at the start of the generator and a depthwise 4x4 convolution at the end of the
discriminator; resampling by [1, 3, 3, 1]; Adam with beta1 of 0; and the schedules: rate, penalty,
beta2 and the half-life of the moving average follow a cosine over the first images, then hold.
With `conditional`, a class embedding is concatenated with the latent, and the discriminator's last
features are multiplied by another. `augment` applies the authors' steps of ADA, including cutout,
and colours half as often, with a scheduled probability. Presets with the authors' sizes:
r3gan-cifar10, r3gan-ffhq64.

Changed: the default is small, and its schedules cover a fraction of the run instead of a number of
images, with a half-life of at most a twentieth of the images so far; the generator's update uses
the same data and fakes as the discriminator's (the authors draw both anew).
"""

from ganzoo import Fields, Layer, Spec, Variant, hookimpl
from ganzoo.errors import DataError
from ganzoo.spec import (
    Adam,
    Basis,
    Bias,
    Conv,
    Downsample,
    Flatten,
    HalfLife,
    Image,
    Inject,
    Label,
    LeakyReLU,
    LeCun,
    Linear,
    Network,
    Normal,
    OneHot,
    Repeat,
    Residual,
    Update,
    Upsample,
)


class R3GAN(Variant):
    """A modern baseline: relativistic loss, R1 + R2, plain residual nets (Huang et al. 2024)."""

    name = "r3gan"

    latent: int = 64
    width: int = 128
    """Channels at low resolutions; higher ones have fewer."""
    shares: tuple[float, ...] = (1, 1, 1, 0.75, 0.5, 0.25, 0.25)
    """The fraction of the channels at 4, 8, 16, ... pixels."""
    group: int = 16
    """Channels in a group of a 3x3 convolution."""
    blocks: int = 2
    """Residual blocks at each size."""
    conditional: bool = False
    """Condition both networks on the class."""
    gamma: float = 2.0
    """Weight of R1 and R2 at first; it falls to a tenth."""
    lr: float = 2e-4
    """Learning rate at first; it falls to a quarter."""
    burn_in: float = 0.4
    """The fraction of the run over which the schedules change."""
    burn_in_images: float = 0.0
    """The same in images, as the authors give it; if not 0, it replaces `burn_in`."""
    half_life: float = 100_000.0
    """Half-life of the generator's moving average in images, from the end of the schedules on;
    where these cover a fraction of the run, at most a twentieth of the images so far."""
    augment: float = 0.0
    """Probability of each augmentation at the end of the schedules."""
    batch: int = 64
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        _, size, width = image.shape
        sizes = [4 * 2**index for index in range(1, len(self.shares))]
        if width != size or size not in sizes:
            raise DataError(
                f"{self.name} makes squares of {', '.join(map(str, sizes))} pixels, but images of "
                f"{data.name!r} are {width}x{size}; for a folder, use folder:PATH,size=64"
            )
        label = data.label if self.conditional else None
        widths = self.widths(image.shape[1])
        time = f"images / {self.burn_in_images:g}" if self.burn_in_images else "progress"
        over = 1 if self.burn_in_images else self.burn_in

        def follow(first: float, last: float) -> str:
            return f"cosine({time} / {over:g}, {first:g}, {last:g})"

        draws: dict[str, Image | Label | Normal] = {"x": image, "z": Normal(self.latent)}
        draws |= {"y": label} if label else {}
        told = ", y" if label else ""
        seen = "{}"
        let = {"gamma": follow(self.gamma, self.gamma / 10), "lr": follow(self.lr, self.lr / 4)}
        if self.augment:
            let["p"] = follow(0, self.augment)
            seen = "ada_cutout(ada_color(ada_geometry(ada_blit({}, p), p), 0.5 * p), p)"
        let["fake"] = f"G(z{told})"
        let["real"] = f"D({seen.format('x')}{told})"
        let["made"] = f"D({seen.format('fake')}{told})"
        half = follow(0, self.half_life)
        if not self.burn_in_images:  # of a short run, an average over half of it would be a blur
            half = f"minimum({half}, 0.05 * images)"
        adam = Adam(lr="lr", betas=(0, follow(0.9, 0.99)))
        relative = {
            "relative": "mean(softplus(made - real))",
            "r1": "gamma / 2 * mean(squared_norm(grad(real, x)))",
            "r2": "gamma / 2 * mean(squared_norm(grad(made, fake)))",
        }
        return Spec(
            title="R3GAN",
            source="arXiv:2501.05441",
            draws=draws,
            networks={
                "G": self.generator(widths, image.channels, label),
                "D": self.discriminator(widths, label),
            },
            let=let,
            round=[
                Update("D", relative, adam),
                Update("G", {"relative": "mean(softplus(real - made))"}, adam),
            ],
            steps=self.steps,
            ema={"G": HalfLife(half)},
            tasks={"generate": f"G(z{told})"},
            batch=self.batch,
        )

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, 16, ... pixels."""
        sizes = [4 * 2**i for i in range(len(self.shares)) if 4 * 2**i <= size]
        step = max(1, self.group // 2)
        shares = self.shares[: len(sizes)]
        return [max(step, int(self.width * share) // step * step) for share in shares]

    def generator(self, widths: list[int], channels: int, label: Label | None) -> Network:
        layers: list[Layer] = [Linear(widths[0], bias=False), Basis(4)]
        for index, width in enumerate(widths):
            if index:
                if width != widths[index - 1]:
                    layers.append(Conv(width, 1, bias=False))
                layers.append(Upsample(mode="fir"))
            layers.append(self.residuals(width, len(widths)))
        layers.append(Conv(channels, 1, bias=False))
        if label is None:
            return Network({"z": ()}, layers, init=LeCun())
        embedded = (OneHot(label.classes), Linear(self.latent, bias=False))
        return Network({"z": (), "y": embedded}, layers, init=LeCun())

    def discriminator(self, widths: list[int], label: Label | None) -> Network:
        layers: list[Layer] = [Conv(widths[-1], 1, bias=False)]
        for index in reversed(range(len(widths))):
            width = widths[index]
            if index < len(widths) - 1:
                layers.append(Downsample(mode="fir"))
                if width != widths[index + 1]:
                    layers.append(Conv(width, 1, bias=False))
            layers.append(self.residuals(width, len(widths)))
        wide = widths[0]
        layers += [Conv(wide, 4, padding=0, groups=wide, bias=False), Flatten()]
        if label is None:
            return Network({"x": ()}, (*layers, Linear(1, bias=False)), init=LeCun())
        embedded = (OneHot(label.classes), Linear(wide, bias=False, gain=wide**-0.5))
        layers += [Linear(wide, bias=False), Inject("y", embedded, "dot")]
        return Network({"x": (), "y": ()}, layers, init=LeCun())

    def residuals(self, width: int, stages: int) -> Repeat:
        # compensates the variance lost in a leaky ReLU of slope 0.2, scaled by the depth
        gain = (2 / 1.04) ** 0.5 * (self.blocks * stages) ** -0.25
        inner = 2 * width
        block = (
            Conv(inner, 1, bias=False, gain=gain),
            Bias(),
            LeakyReLU(0.2),
            Conv(inner, 3, groups=inner // self.group, bias=False, gain=gain),
            Bias(),
            LeakyReLU(0.2),
            Conv(width, 1, bias=False, gain=0),
        )
        return Repeat(self.blocks, (Residual(block),))


class CIFAR10(R3GAN):
    """R3GAN with the authors' settings for CIFAR-10, 20.8 million weights in the generator."""

    name = "r3gan-cifar10"

    width: int = 768
    shares: tuple[float, ...] = (1, 1, 1, 1, 0.5)
    gamma: float = 0.05
    burn_in_images: float = 20e6
    half_life: float = 5e6
    augment: float = 0.55
    batch: int = 512
    steps: int = 490_000


class FFHQ64(R3GAN):
    """R3GAN with the authors' settings for FFHQ at 64 pixels, 22.4 million weights."""

    name = "r3gan-ffhq64"

    width: int = 768
    shares: tuple[float, ...] = (1, 1, 1, 1, 0.5)
    gamma: float = 2.0
    burn_in_images: float = 20e6
    half_life: float = 5e5
    augment: float = 0.3
    batch: int = 256
    steps: int = 390_000


@hookimpl
def ganzoo_variants():
    return [R3GAN, CIFAR10, FFHQ64]
