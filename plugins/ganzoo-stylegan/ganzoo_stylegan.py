# pyright: reportArgumentType=false
"""StyleGAN2 with adaptive augmentation, for images of 16 to 256 pixels.

StyleGAN2: Karras et al. 2019, arXiv:1912.04958. ADA: Karras et al. 2020, arXiv:2006.06676. Kept:
the mapping network with a hundredth of the rate; equalised rates; modulated convolutions
from a learned constant; a noise map per layer; skips of colours in the generator and residual
blocks in the discriminator, with [1, 3, 3, 1] in both; minibatch deviation; the logistic loss
with lazy R1, and path length, each a step of the same optimizer with corrected rate and betas;
style mixing; the mean of w for truncation; and, with `ada`, the authors' control of its
probability. Presets with the authors' sizes: stylegan2-cifar10, stylegan2-paper256.

Changed: the default is small; ADA's pipe is ganzoo's (`ada`).
"""

from math import log2

from ganzoo import Fields, Spec, Task, Variant, hookimpl
from ganzoo.errors import DataError
from ganzoo.spec import (
    Adam,
    AddNoise,
    Bias,
    Constant,
    Conv,
    Downsample,
    Equalized,
    Flatten,
    Inject,
    LeakyReLU,
    Linear,
    MinibatchStd,
    ModConv,
    Network,
    Normal,
    PixelNorm,
    Residual,
    Tap,
    Update,
    Upsample,
)

ROOT2 = 2**0.5


class StyleGAN2(Variant):
    """Styles in every layer, noise, path length, lazy R1, ADA (Karras et al. 2019, 2020)."""

    name = "stylegan2"

    latent: int = 256
    width: int = 128
    """Channels at 4 to 16 pixels; half of that at 32, 64, ... each time."""
    mapping: int = 4
    """Layers of the mapping network."""
    gamma: float = 0.0
    """Weight of R1; 0 means the authors' rule, 0.0002 * pixels / batch."""
    path_length: float = 2.0
    """Weight of the path length penalty; 0 leaves it out."""
    mixing: float = 0.9
    """Probability of style mixing."""
    ada: bool = False
    """Augment adaptively, for small data sets."""
    ada_target: float = 0.6
    ada_images: float = 500_000.0
    """Images over which the probability could go from 0 to 1."""
    group: int = 4
    """Samples in a group of the minibatch deviation."""
    lr: float = 2e-3
    half_life: float = 10_000.0
    """Of the moving averages, in images; shorter at the start."""
    batch: int = 32
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        channels, size, width = image.shape
        if width != size or size & (size - 1) or size < 8:
            raise DataError(
                f"{self.name} makes squares of 8, 16, 32, 64, ... pixels, and images of "
                f"{data.name!r} are {width}x{size}; of a folder, take folder:PATH,size=64"
            )
        layers = 2 * int(log2(size)) - 3
        gamma = self.gamma or 0.0002 * size * size / self.batch
        let = {"w": f"rows(M(z), {layers + 1})", "fake": "S(w, n)"}
        if self.mixing:
            let["w"] = (
                f"mix_rows(rows(M(z), {layers + 1}), rows(M(u), {layers + 1}), {self.mixing:g})"
            )
        state = {"w_mean": {"size": self.latent, "next": "lerp(w_mean, batch_mean(M(z)), 0.005)"}}
        seen = "ada({}, p)" if self.ada else "{}"
        let |= {"real": f"D({seen.format('x')})", "made": f"D({seen.format('fake')})"}
        if self.ada:
            control = f"4 * batch / {self.ada_images:g}"
            state["p"] = {
                "next": f"maximum(0, p + {control} * sign(mean(sign(real)) - {self.ada_target:g}))",
                "every": 4,
            }
        draws = {"x": image, "z": Normal(self.latent), "n": Normal(shape=(layers, size, size))}
        if self.mixing:
            draws["u"] = Normal(self.latent)
        # a regularizer that acts in one of k rounds counts k-fold, and the optimizer is told
        lazy_d = Update(
            "D",
            {"r1": f"{16 * gamma / 2:g} * mean(squared_norm(grad(real, x)))"},
            {"of": "D"},
            every=16,
            name="D_reg",
        )
        round = [
            Update(
                "D",
                {"fake": "mean(softplus(made))", "real": "mean(softplus(-real))"},
                self.adam(16),
            ),
            lazy_d,
        ]
        generator = [Update(["M", "S"], {"fool": "mean(softplus(-made))"}, self.adam(4), name="G")]
        if self.path_length:
            let["lengths"] = f"norm(grad(dot(fake, y) / {size:g}, w)) / {(layers + 1) ** 0.5:.6g}"
            draws["y"] = Normal(shape=image.shape)
            state["length"] = {"start": 0, "next": "lerp(length, mean(lengths), 0.01)", "every": 4}
            generator.append(
                Update(
                    ["M", "S"],
                    {"path_length": f"{4 * self.path_length:g} * mean(square(lengths - length))"},
                    {"of": "G"},
                    every=4,
                    name="G_reg",
                )
            )
        half = f"minimum({self.half_life:g}, 0.05 * images)"
        return Spec(
            title="StyleGAN2-ADA" if self.ada else "StyleGAN2",
            source="arXiv:1912.04958",
            draws=draws,
            networks={
                "M": Network({"z": ()}, self.mapper(), weight=Equalized(lr=0.01)),
                "S": Network(
                    {"w": (), "n": ()}, self.synthesis(channels, size), weight="equalized"
                ),
                "D": Network({"x": ()}, self.discriminator(size), weight="equalized"),
            },
            let=let,
            state=state,
            round=[*round, *generator],
            steps=self.steps,
            ema={"M": {"half_life": half}, "S": {"half_life": half}},
            tasks={
                "generate": Task(
                    kind="generate",
                    output=f"S(rows(lerp(w_mean, M(z), psi), {layers + 1}), n)",
                    numbers={"psi": 0.7},
                )
            },
            batch=self.batch,
        )

    def adam(self, interval: int) -> Adam:
        """Adam for an update that a lazy regularizer joins every `interval` rounds."""
        share = interval / (interval + 1)
        return Adam(lr=self.lr * share, betas=(0, 0.99**share), eps=1e-8)

    def channels(self, size: int) -> int:
        return max(8, int(self.width * min(1, 16 / size)))

    def mapper(self) -> list:
        layer = [Linear(self.latent), LeakyReLU(0.2, ROOT2)]
        return [PixelNorm(), *layer * self.mapping]

    def synthesis(self, channels: int, size: int) -> list:
        layers = [Constant((self.channels(4), 4, 4))]
        sizes = [4 * 2**i for i in range(20) if 4 * 2**i <= size]
        row, colours = 0, []
        for here in sizes:
            for up in [False] if here == 4 else [True, False]:
                layers += [
                    ModConv(self.channels(here), 3, "w", row, up),
                    AddNoise("n", row),
                    Bias(),
                    LeakyReLU(0.2, ROOT2),
                ]
                row += 1
            colours = [ModConv(channels, 1, "w", row, demodulate=False), Bias()]
            if here > 4:
                before = Inject(f"rgb{here // 2}", [Upsample(mode="fir")], "add")
                colours.append(before)
            if here < size:
                layers.append(Tap(f"rgb{here}", colours))
        return [*layers, *colours]

    def discriminator(self, size: int) -> list:
        act = LeakyReLU(0.2, ROOT2)
        layers = [Conv(self.channels(size), 1), act]
        while size > 4:
            wide, narrow = self.channels(size // 2), self.channels(size)
            layers.append(
                Residual(
                    [Conv(narrow), act, Conv(wide), act, Downsample(mode="fir")],
                    [Downsample(mode="fir"), Conv(wide, 1, bias=False)],
                    gain=0.5**0.5,
                )
            )
            size //= 2
        wide = self.channels(4)
        head = [MinibatchStd(self.group), Conv(wide), act, Flatten(), Linear(wide), act, Linear(1)]
        return [*layers, *head]


class CIFAR10(StyleGAN2):
    """StyleGAN2 with the authors' settings for CIFAR-10: no path length, no mixing, ADA."""

    name = "stylegan2-cifar10"

    latent: int = 512
    width: int = 512
    mapping: int = 2
    gamma: float = 0.01
    path_length: float = 0.0
    mixing: float = 0.0
    ada: bool = True
    group: int = 32
    lr: float = 2.5e-3
    half_life: float = 500_000.0
    batch: int = 64
    steps: int = 1_560_000


class Paper256(StyleGAN2):
    """StyleGAN2 with the authors' settings for 256 pixels."""

    name = "stylegan2-paper256"

    latent: int = 512
    width: int = 512
    mapping: int = 8
    gamma: float = 1.0
    group: int = 8
    lr: float = 2.5e-3
    half_life: float = 20_000.0
    batch: int = 64
    steps: int = 390_000


@hookimpl
def ganzoo_variants():
    return [StyleGAN2, CIFAR10, Paper256]
