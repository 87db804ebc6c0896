"""StyleGAN2 with adaptive augmentation, for images of 16 to 256 pixels.

StyleGAN2: Karras et al. 2019, arXiv:1912.04958. ADA: Karras et al. 2020, arXiv:2006.06676. Kept:
the mapping network with a hundredth of the rate; equalized learning rates; modulated convolutions
from a learned constant, upsampled by a transposed convolution and the filter [1, 3, 3, 1]; a noise
map per layer; skip connections to RGB in the generator, and residual blocks in the discriminator,
downsampled by that filter and a strided convolution; minibatch standard deviation; the logistic
loss with lazy R1, and path length, each a step of the same optimizer with corrected rate and betas;
style mixing; the mean of w for truncation; and, with `ada`, the authors' adaptation of its
probability. With `conditional`, the class is an input of the mapping network, and the
discriminator's last features are multiplied by a mapping of the class. Presets with the authors'
sizes: stylegan2-cifar10, stylegan2-paper256.

Changed: the default is small; the augmentation pipeline is ganzoo's (`ada`), and its probability
adapts to the last of four batches and not to their mean; path length is penalized on the whole
batch, against its mean before this round and not after it; the mean of w is over the run, and not
that of the averaged mapping network.
"""

from math import log2

from ganzoo import Fields, Layer, Spec, Task, Variant, hookimpl
from ganzoo.errors import DataError
from ganzoo.spec import (
    Adam,
    AddNoise,
    Bias,
    Blur,
    Constant,
    Conv,
    Downsample,
    Equalized,
    Flatten,
    HalfLife,
    Image,
    Inject,
    Label,
    LeakyReLU,
    Linear,
    MinibatchStd,
    ModConv,
    Network,
    Normal,
    OneHot,
    PixelNorm,
    Repeat,
    Residual,
    Running,
    Scale,
    Shared,
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
    conditional: bool = False
    """Condition both networks on the class."""
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
    """Number of images over which the probability can rise from 0 to 1."""
    group: int = 4
    """Samples in a group of the minibatch deviation."""
    lr: float = 2e-3
    half_life: float = 10_000.0
    """Half-life of the moving averages in images; shorter at the start."""
    batch: int = 32
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        channels, size, width = image.shape
        if width != size or size & (size - 1) or size < 8:
            raise DataError(
                f"{self.name} makes squares of 8, 16, 32, 64, ... pixels, but images of "
                f"{data.name!r} are {width}x{size}; for a folder, use folder:PATH,size=64"
            )
        rows = 2 * int(log2(size)) - 2
        """The number of styles: one for each convolution, and one for the last RGB layer."""
        draws: dict[str, Image | Label | Normal] = {"x": image}
        if self.conditional:
            draws["y"] = data.label
        draws |= {"z": Normal(self.latent), "n": Normal(shape=(rows - 1, size, size))}
        told = ", y" if self.conditional else ""
        seen = "ada({}, p)" if self.ada else "{}"
        let = {"w": f"rows(M(z{told}), {rows})"}
        if self.mixing:
            draws["u"] = Normal(self.latent)
            let["w"] = f"mix_rows({let['w']}, rows(M(u{told}), {rows}), {self.mixing:g})"
        let["fake"] = "S(w, n)"
        let["real"] = f"D({seen.format('x')}{told})"
        let["made"] = f"D({seen.format('fake')}{told})"
        state = {
            "w_mean": Running(f"lerp(w_mean, batch_mean(M(z{told})), 0.005)", size=self.latent)
        }
        if self.ada:
            step = f"4 * batch / {self.ada_images:g}"
            sure = f"sign(mean(sign(real)) - {self.ada_target:g})"
            state["p"] = Running(f"maximum(0, p + {step} * {sure})", every=4)
        # a regularizer of every k-th round is weighted by k, and the optimizer is corrected
        gamma = self.gamma or 0.0002 * size * size / self.batch
        r1 = f"{16 * gamma / 2:g} * mean(squared_norm(grad(real, x)))"
        logistic = {"fake": "mean(softplus(made))", "real": "mean(softplus(-real))"}
        round = [
            Update("D", logistic, self.adam(16)),
            Update("D", {"r1": r1}, Shared("D"), every=16, name="D_reg"),
            Update(["M", "S"], {"fool": "mean(softplus(-made))"}, self.adam(4), name="G"),
        ]
        if self.path_length:
            draws["noise"] = Normal(shape=image.shape)
            let["lengths"] = f"norm(grad(dot(fake, noise) / {size:g}, w)) / sqrt({rows})"
            state["length"] = Running("lerp(length, mean(lengths), 0.01)", every=4)
            penalty = f"{4 * self.path_length:g} * mean(square(lengths - length))"
            lazy = Update(["M", "S"], {"path_length": penalty}, Shared("G"), every=4, name="G_reg")
            round.append(lazy)
        half = HalfLife(f"minimum({self.half_life:g}, 0.05 * images)")
        truncated = f"S(rows(lerp(w_mean, M(z{told}), psi), {rows}), n)"
        return Spec(
            title="StyleGAN2-ADA" if self.ada else "StyleGAN2",
            source="arXiv:1912.04958",
            draws=draws,
            networks={
                "M": self.mapper(draws.get("y")),
                "S": self.synthesis(channels, size),
                "D": self.discriminator(size, draws.get("y")),
            },
            let=let,
            state=state,
            round=round,
            steps=self.steps,
            ema={"M": half, "S": half},
            tasks={"generate": Task("generate", truncated, numbers={"psi": 1.0})},
            batch=self.batch,
        )

    def adam(self, interval: int) -> Adam:
        """Adam for an update that a lazy regularizer joins every `interval` rounds."""
        share = f"{interval} / {interval + 1}"
        return Adam(lr=f"{self.lr:g} * {share}", betas=(0, f"power(0.99, {share})"), eps=1e-8)

    def channels(self, size: int) -> int:
        return max(8, int(self.width * min(1, 16 / size)))

    def mapper(self, label: object) -> Network:
        layers = (mapping(self.mapping, self.latent),)
        if not isinstance(label, Label):
            return Network({"z": ()}, (PixelNorm(), *layers), weight=Equalized())
        embedded = (OneHot(label.classes), Linear(self.latent), PixelNorm())
        return Network({"z": (PixelNorm(),), "y": embedded}, layers, weight=Equalized())

    def synthesis(self, channels: int, size: int) -> Network:
        layers: list[Layer] = [Constant((self.channels(4), 4, 4))]
        sizes = [4 * 2**i for i in range(20) if 4 * 2**i <= size]
        row = 0
        colours: list[Layer] = []
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
                colours.append(Inject(f"rgb{here // 2}", (Upsample(mode="fir"),), "add"))
            if here < size:
                layers.append(Tap(f"rgb{here}", tuple(colours)))
        return Network({"w": (), "n": ()}, (*layers, *colours), weight=Equalized())

    def discriminator(self, size: int, label: object) -> Network:
        act = LeakyReLU(0.2, ROOT2)
        layers: list[Layer] = [Conv(self.channels(size), 1), act]
        while size > 4:
            wide, narrow = self.channels(size // 2), self.channels(size)
            # filtered before every second pixel is taken: a kernel of 3, then one of 1
            down = (Blur(), Conv(wide, 3, 2, padding=0))
            short = (Downsample(mode="fir"), Conv(wide, 1, bias=False))
            layers.append(Residual((Conv(narrow), act, *down, act), short, 0.5**0.5))
            size //= 2
        wide = self.channels(4)
        layers += [MinibatchStd(self.group), Conv(wide), act, Flatten(), Linear(wide), act]
        if not isinstance(label, Label):
            return Network({"x": ()}, (*layers, Linear(1)), weight=Equalized())
        embedded = (OneHot(label.classes), Linear(wide), PixelNorm())
        told = Inject("y", (*embedded, mapping(8, wide)), "dot")
        layers += [Linear(wide), told, Scale(wide**-0.5, learned=False)]
        return Network({"x": (), "y": ()}, layers, weight=Equalized())


def mapping(number: int, units: int) -> Repeat:
    """Fully connected layers that learn at a hundredth of the rate."""
    return Repeat(number, (Linear(units, weight=Equalized(0.01)), LeakyReLU(0.2, ROOT2)))


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
