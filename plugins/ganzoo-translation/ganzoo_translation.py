"""Image to image: pix2pix with pairs, CycleGAN and CUT without.

pix2pix (Isola et al. 2017, arXiv:1611.07004). Kept: a U-net down to one pixel; dropout of one half
in the inner blocks, its only noise, which is also active at inference; a patch discriminator of
input and output; cross-entropy, with the discriminator's loss halved and its step first; 100 times
L1. Instance norm with gains replaces batch norm, which is the same at the authors' batch size of
one, so that outputs do not depend on the other images of a batch. If the data have no pairs, the
input is computed from the image: a grey version to be coloured (one of the paper's tasks), or, for
grey images, a version at a quarter of the resolution.

CycleGAN (Zhu et al. 2017, arXiv:1703.10593). Kept: residual generators with reflected borders and
instance norm; least squares, with the discriminators' losses halved; cycle losses of weight 10 and
identity losses of half that, in L1; one Adam for both generators; discriminators that get a pool of
50 earlier translations, and learn from those made before the generators' step.

CUT (Park et al. 2020, arXiv:2007.15651). Kept: one generator, with filtered resampling; a
contrastive loss over patches: in each of five layers, 256 positions of the output are matched with
the same positions of the input, against all other positions of that image, at a temperature of 0.07
and through two layers; the same for images of the target domain. `cut-fast` (FastCUT) has ten times
the former loss without the latter, and mirrors half of its inputs.

All three: Adam 2e-4 with betas (0.5, 0.999), and a rate that decays to 0 over the second half.
Presets with the authors' sizes: pix2pix-256, cyclegan-256, cut-256, cut-fast-256. Changed: the
defaults are small, with batches of more than one image and discriminators with patches of 34 pixels
instead of 70; in CUT there is one position in each of as many equal strips, the same in all layers,
and the first layer is the image without its reflected border.
"""

from typing import Annotated, Literal

from pydantic import Field

from ganzoo import Fields, GanzooError, Spec, Task, Variant, hookimpl
from ganzoo.spec import (
    Adam,
    Conv,
    Crop,
    Deconv,
    Downsample,
    Dropout,
    Gaussian,
    Image,
    InstanceNorm,
    Layer,
    LeakyReLU,
    Network,
    Pool,
    ReLU,
    Residual,
    Skip,
    Tanh,
    Tap,
    Together,
    Uniform,
    Update,
    Upsample,
    Xavier,
)

LEAKY, NORM = LeakyReLU(0.2), InstanceNorm()
GAUSSIAN = Gaussian(0.02)


def adam(lr: float) -> Adam:
    """Adam with a rate that is constant for half of the run and then decays linearly to 0."""
    return Adam(f"ramp(2 * progress - 1, {lr:g}, 0)", (0.5, 0.999))


def patches(image: Image, width: int, layers: int, norm: Layer, smooth: bool = False) -> list:
    """A patch discriminator: patches of 16 pixels for one layer, 34 for two, 70 for three."""
    side = min(image.shape[1:])
    layers = max(1, min(layers, (side // 4).bit_length() - 1))
    found: list[Layer] = []
    for level in range(layers):
        halved = [Conv(width * 2**level, 4), LEAKY, Downsample(mode="fir")]
        if not smooth:
            halved = [Conv(width * 2**level, 4, 2), LEAKY]
        found += [halved[0], *([norm] if level else []), *halved[1:]]
    return [*found, Conv(width * 2 ** min(layers, 3), 4), norm, LEAKY, Conv(1, 4)]


def residuals(
    image: Image, channels: int, width: int, blocks: int, smooth: bool, taps: bool
) -> list:
    """The generator of CycleGAN and CUT: two downsamplings, residual blocks, two upsamplings."""
    if any(side % 4 for side in image.shape[1:]):
        raise GanzooError(
            f"it halves images twice, so sides must be multiples of 4, not {image.shape[1:]}: "
            "choose others, as in folder:photos,size=64"
        )

    def conv(wide: int, kernel: int = 3, stride: int = 1) -> list[Layer]:
        return [Conv(wide, kernel, stride), NORM, ReLU()]

    def tap(name: str) -> list[Layer]:
        return [Tap(name)] if taps else []

    layers = [*tap("f0"), Conv(width, 7, padding_mode="reflect"), NORM, ReLU()]
    for level in (1, 2):
        if smooth:
            first, *rest = conv(width * 2**level)
            layers += [first, *tap(f"f{level}"), *rest, Downsample(mode="fir")]
        else:
            layers += conv(width * 2**level, 3, 2)
    inner = Conv(4 * width, padding_mode="reflect")
    block = Residual([inner, NORM, ReLU(), inner, NORM])
    for number in range(blocks):
        layers.append(block)
        layers += tap("f3") if number == 0 else tap("f4") if number == blocks // 2 else []
    for level in (1, 0):
        if smooth:
            layers += [Upsample(mode="fir"), *conv(width * 2**level)]
        else:
            layers += [Deconv(width * 2**level, 3), NORM, ReLU()]
    return [*layers, Conv(channels, 7, padding_mode="reflect"), Tanh()]


class Pix2Pix(Variant):
    """Images from their pairs, by a U-net and a discriminator of patches (Isola et al. 2017)."""

    name = "pix2pix"

    width: int = 32
    layers: int = 2
    """Halvings of the discriminator."""
    given: Literal["auto", "pairs", "shades", "coarse"] = "auto"
    """The input: `a` of the data if `a` and `b` are pairs, or the image in grey, or at a quarter of
    the resolution."""
    l1: float = 100.0
    lr: float = 2e-4
    batch: int = 16
    steps: int = 10_000

    def spec(self, data: Fields) -> Spec:
        draws, let, to = self.pairs(data)
        source = draws["a"] if "a" in draws else draws["b"]
        layers, noise = self.unet(source, draws["b"].channels)
        if noise is not None:
            draws["u"] = noise
        made = "G(a, u)" if noise is not None else "G(a)"
        inputs = {"a": (), "u": ()} if noise is not None else {"a": ()}
        discriminator = patches(source, self.width, self.layers, InstanceNorm(affine=True))
        return Spec(
            title="pix2pix",
            source="arXiv:1611.07004",
            draws=draws,
            networks={
                "G": Network(inputs, layers, init=GAUSSIAN),
                "D": Network({"a": (), "b": ()}, discriminator, init=GAUSSIAN),
            },
            let={**let, "fake": made},
            round=[
                Update(
                    "D",
                    {"real": "0.5 * bce(D(a, b), 1)", "fake": "0.5 * bce(D(a, fake), 0)"},
                    adam(self.lr),
                ),
                Update(
                    "G",
                    {"fool": "bce(D(a, fake), 1)", "l1": f"{self.l1:g} * l1(fake, b)"},
                    adam(self.lr),
                ),
            ],
            steps=self.steps,
            tasks={f"to_{to}": Task(kind="translate", output="fake", to=to)},
            batch=self.batch,
        )

    def pairs(self, data: Fields) -> tuple[dict, dict[str, str], str]:
        """The draws, the expression of `a` if it is not a draw, and the target domain."""
        a, b = (data.fields.get(field) for field in "ab")
        paired = isinstance(a, Image) and isinstance(b, Image) and not a.independent
        if self.given == "pairs" or (self.given == "auto" and paired):
            # drawn as pairs, so that data without pairs are refused
            return {field: data[field].replace(independent=False) for field in "ab"}, {}, "b"
        image = data.image
        if image.channels == 3 and self.given != "coarse":
            shades = "0.299 * part(b, 0, 1) + 0.587 * part(b, 1, 2) + 0.114 * part(b, 2, 3)"
            return {"b": image}, {"a": shades}, "colours"
        if self.given == "shades" or image.shape[1] != image.shape[2]:
            raise GanzooError("shades are of images of three channels; coarse ones are square")
        small = f"resize(b, {image.size // 4})"
        return {"b": image}, {"a": f"resize({small}, {image.size})"}, "detail"

    def unet(self, image: Image, channels: int) -> tuple[list, Uniform | None]:
        """Its layers, and the noise of dropout in up to three blocks, or None if it is too flat."""
        maps = [min(image.shape[1:])]
        while maps[-1] > 1:
            maps.append(-(-maps[-1] // 2))
        if image.shape[1] != image.shape[2] and any(side % 2 for side in maps[:-1]):
            raise GanzooError(f"sides that differ must be powers of two, not {image.shape[1:]}")
        last, norm = len(maps) - 2, InstanceNorm(affine=True)
        widths = [self.width * 2 ** min(level, 3) for level in range(last + 1)]
        dropped, offset = dict[int, Dropout](), 0
        for level in range(last - 1, max(1, last - 4), -1):
            dropped[level] = Dropout(0.5, "u", offset // widths[level - 1])
            offset += widths[level - 1]

        def around(level: int) -> list[Layer]:
            """From the map of a level down through all smaller ones, and up again."""
            out = widths[level - 1] if level else channels
            return [
                *([LEAKY] if level else []),
                Conv(widths[level], 4, 2, padding=1 + maps[level] % 2),
                *([norm] if 0 < level < last else []),
                *([Skip(around(level + 1))] if level < last else []),
                ReLU(),
                Deconv(out, 4, 2),
                *([Crop(maps[level])] if maps[level] % 2 else []),
                *([norm] if level else []),
                *([dropped[level]] if level in dropped else []),
            ]

        side = max(image.shape[1:]) // min(image.shape[1:])
        shape = (offset, *[side * maps[min(dropped)]] * 2) if dropped else None
        return [*around(0), Tanh()], Uniform(shape=shape, low=0, high=1) if shape else None


class CycleGAN(Variant):
    """Translation between two domains without pairs, by cycles (Zhu et al. 2017)."""

    name = "cyclegan"

    width: int = 32
    blocks: int = 4
    layers: int = 2
    """Halvings of the discriminators."""
    cycle: float = 10.0
    identity: float = 0.5
    """Weight of the identity loss, as a fraction of that of the cycle loss."""
    pool: int = 50
    lr: float = 2e-4
    batch: int = 4
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        a, b = data["a"], data["b"]
        keep = self.identity * self.cycle if a.shape == b.shape else 0

        def generator(image: Image, channels: int) -> Network:
            layers = residuals(image, channels, self.width, self.blocks, False, False)
            return Network({"image": ()}, layers, init=GAUSSIAN)

        def discriminator(image: Image) -> Network:
            layers = patches(image, self.width, self.layers, NORM)
            return Network({"image": ()}, layers, init=GAUSSIAN)

        terms = {
            "fool": "mse(DB(ab), 1) + mse(DA(ba), 1)",
            "cycle": f"{self.cycle:g} * (l1(BA(ab), a) + l1(AB(ba), b))",
        }
        if keep:
            terms["identity"] = f"{keep:g} * (l1(AB(b), b) + l1(BA(a), a))"
        return Spec(
            title="CycleGAN",
            source="arXiv:1703.10593",
            draws={"a": a, "b": b},
            networks={
                "AB": generator(a, b.channels), "BA": generator(b, a.channels),
                "DA": discriminator(a), "DB": discriminator(b),
            },
            let={"ab": "AB(a)", "ba": "BA(b)"},
            state={"old_a": Pool("ba", self.pool), "old_b": Pool("ab", self.pool)},
            # they score and learn from translations made before either side stepped
            round=[
                Together(
                    [
                        Update(["AB", "BA"], terms, adam(self.lr), name="G"),
                        Update(
                            ["DA", "DB"],
                            {
                                "real": "0.5 * (mse(DA(a), 1) + mse(DB(b), 1))",
                                "fake": "0.5 * (mse(DA(old_a), 0) + mse(DB(old_b), 0))",
                            },
                            adam(self.lr),
                            name="D",
                        ),
                    ]
                )
            ],
            steps=self.steps,
            tasks={
                "to_b": Task(kind="translate", output="ab", to="b"),
                "to_a": Task(kind="translate", output="ba", to="a"),
            },
            batch=self.batch,
        )  # fmt: skip


class CUT(Variant):
    """Translation in one direction without pairs, by contrasts of patches (Park et al. 2020)."""

    name = "cut"

    width: int = 32
    blocks: Annotated[int, Field(ge=2)] = 4
    layers: int = 2
    """Halvings of the discriminator."""
    places: int = 256
    """Number of positions of each map that are compared."""
    code: int = 128
    """Size of the vectors that are compared."""
    contrast: float = 1.0
    """Weight of the contrastive loss between input and output."""
    identity: bool = True
    """Also for images of the target domain; each loss then has half the weight."""
    mirror: bool = False
    """Mirror half of the inputs, and mirror the features of their outputs back."""
    lr: float = 2e-4
    batch: int = 4
    steps: int = 20_000

    def spec(self, data: Fields) -> Spec:
        a, b = data["a"], data["b"]
        init = Xavier(0.02)
        # F0, F1, ...: two layers at each position, for each map of the generator that is compared
        head = [Conv(self.code, 1), ReLU(), Conv(self.code, 1)]
        heads = [f"F{level}" for level in range(5)]
        source = "mirror(a, m)" if self.mirror else "a"
        back = "mirror({}, m)" if self.mirror else "{}"

        def contrast(made: str, given: str, back: str = "{}") -> str:
            """The mean over layers of the contrastive loss between `made` and `given`."""
            pairs = [
                (f"F{i}(patches({back.format(f'G.f{i}({made})')}, u))",
                 f"F{i}(patches(G.f{i}({given}), u))")
                for i in range(5)
            ]  # fmt: skip
            return " + ".join(f"infonce({query}, {key}, 0.07)" for query, key in pairs)

        share = self.contrast / len(heads) / (2 if self.identity else 1)
        terms = {
            "fool": "mse(D(fake), 1)",
            "contrast": f"{share:g} * ({contrast('fake', 'a', back)})",
        }
        if self.identity:
            terms["identity"] = f"{share:g} * ({contrast('G(b)', 'b')})"
        generator = residuals(a, b.channels, self.width, self.blocks, True, True)
        discriminator = patches(b, self.width, self.layers, NORM, smooth=True)
        return Spec(
            title="FastCUT" if self.mirror else "CUT",
            source="arXiv:2007.15651",
            draws={"a": a, "b": b, "u": Uniform(self.places, 0, 1)}
            | ({"m": Uniform(1, 0, 1)} if self.mirror else {}),
            networks={
                "G": Network({"image": ()}, generator, init=init),
                "D": Network({"image": ()}, discriminator, init=init),
                **{name: Network({"place": ()}, head, init=init) for name in heads},
            },
            let={"fake": f"G({source})"},
            round=[
                Update(
                    "D",
                    {"real": "0.5 * mse(D(b), 1)", "fake": "0.5 * mse(D(fake), 0)"},
                    adam(self.lr),
                ),
                Update(["G", *heads], terms, adam(self.lr), name="G"),
            ],
            steps=self.steps,
            tasks={"to_b": Task(kind="translate", output="G(a)", to="b")},
            batch=self.batch,
        )


class Pix2Pix256(Pix2Pix):
    """pix2pix with the authors' settings for facades at 256 pixels: 200 passes over 400 pairs."""

    name = "pix2pix-256"

    width: int = 64
    layers: int = 3
    batch: int = 1
    steps: int = 80_000


class CycleGAN256(CycleGAN):
    """CycleGAN with the authors' settings for horses at 256 pixels: 200 passes over 1,334."""

    name = "cyclegan-256"

    width: int = 64
    blocks: int = 9
    layers: int = 3
    batch: int = 1
    steps: int = 266_800


class CUT256(CUT):
    """CUT with the authors' settings for horses at 256 pixels: 400 passes over 1,334."""

    name = "cut-256"

    width: int = 64
    blocks: Annotated[int, Field(ge=2)] = 9
    layers: int = 3
    code: int = 256
    batch: int = 1
    steps: int = 533_600


class FastCUT(CUT):
    """CUT with ten times the contrast, no identity, and mirrored inputs (FastCUT)."""

    name = "cut-fast"

    contrast: float = 10.0
    identity: bool = False
    mirror: bool = True


class FastCUT256(CUT256):
    """FastCUT with the authors' settings for horses at 256 pixels: 200 passes over 1,334."""

    name = "cut-fast-256"

    contrast: float = 10.0
    identity: bool = False
    mirror: bool = True
    steps: int = 266_800


@hookimpl
def ganzoo_variants():
    return [Pix2Pix, Pix2Pix256, CycleGAN, CycleGAN256, CUT, CUT256, FastCUT, FastCUT256]
