"""Training throughput, data loading included: ganzoo against loops written by hand.

    python benchmarks/training.py [gan|dcgan] [--precision auto|fp32|bf16] [--alternations 20]

Four contestants train the same networks from the same weights on the same data, batch 128:

    ganzoo     the engine, `ganzoo.train`
    ideal      by hand, and as good as a loop can be: the data are bytes on the device, G's
               batch is shared by both updates, nothing computes a gradient that nobody uses,
               fused Adam, the engine's precision, memory format and moving average
    public     by hand, as public scripts have it: PIL transforms in a DataLoader, no detach
               in D's update, D's gradients computed and thrown away in G's, a new batch of G
               for each, every loss read every step, Adam, float32
    public 2   the same with two workers in the DataLoader

First `ganzoo` and `ideal` are seen to compute the same losses. Then all take turns in one
process, a few steps each, forwards and backwards, so that whatever else the machine does
falls on all of them alike. A turn begins with steps that do not count: they use up what the
DataLoader's workers had fetched before. Times are medians over all turns, ratios are ratios
of medians, and the range beside a ratio is the middle half of the turns'.

MNIST is read from the folder that GANZOO_DATA names; without it the bundled digits will do.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

import ganzoo
from ganzoo.engine.training import Training
from ganzoo.plugins import host

BATCH = 128
UNCOUNTED = 6
"""Steps of a turn that do not count: two workers keep two batches each, and work on one."""

TOLERANCE = 1e-4
"""Of losses around 1, each a mean over thousands of products that may be summed in any order."""

Step = Callable[[], None]


# ------------------------------------------------------------------- networks by hand


class Maxout(nn.Module):
    def __init__(self, features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(features, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return x.view(len(x), self.pieces, -1).amax(1)


def gan() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(100, 1000),
        nn.ReLU(inplace=True),
        nn.Linear(1000, 1000),
        nn.ReLU(inplace=True),
        nn.Linear(1000, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        Maxout(784, 240, 5),
        nn.Dropout(0.3),
        Maxout(240, 240, 5),
        nn.Dropout(0.3),
        nn.Linear(240, 1),
    )
    return generator, discriminator


class Crop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :7, :7]


def dcgan() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(100, 256 * 4 * 4, bias=False),
        nn.Unflatten(1, (256, 4, 4)),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
        Crop(),
        nn.BatchNorm2d(128),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(128, 256, 4, 2, 1, bias=False),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Flatten(),
        nn.Linear(256 * 3 * 3, 1),
    )
    return generator, discriminator


NETWORKS = {"gan": gan, "dcgan": dcgan}
WEIGHT_DECAY = {"gan": 2.5e-5, "dcgan": 0.0}
NOISE: dict[str, Callable[[], Tensor]] = {
    "gan": lambda: (torch.rand(BATCH, 100) * 2 - 1) * 3**0.5,
    "dcgan": lambda: torch.randn(BATCH, 100),
}


def networks(variant: str, training: Training) -> tuple[nn.Module, nn.Module]:
    """G and D by hand, with the weights that the engine's have now."""
    made = NETWORKS[variant]()
    for name, net in zip("GD", made, strict=True):
        theirs = training.networks[name].state_dict().values()
        for mine, value in zip(net.state_dict().values(), theirs, strict=True):
            mine.copy_(value)
    return made


# --------------------------------------------------------------------------- contestants


class Pictures(Dataset):
    """The bundled digits as torchvision's MNIST would give them."""

    def __init__(self, pixels: Tensor, transform: Callable) -> None:
        self.pixels, self.transform = pixels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index, 0].numpy())), index % 10


def public(variant: str, training: Training, pixels: Tensor, workers: int) -> Iterator[None]:
    """As public scripts have it."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    if "GANZOO_DATA" in os.environ:
        data: Dataset = datasets.MNIST(os.environ["GANZOO_DATA"], transform=transform)
    else:
        data = Pictures(pixels, transform)
    loader = DataLoader(
        data,
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    generator, discriminator = networks(variant, training)
    adam = {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": WEIGHT_DECAY[variant]}
    adam_g = torch.optim.Adam(generator.parameters(), **adam)
    adam_d = torch.optim.Adam(discriminator.parameters(), **adam)
    bce = nn.BCEWithLogitsLoss()
    losses: list[tuple[float, float]] = []
    for _ in itertools.count():
        for images, _labels in loader:
            valid, invalid = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

            adam_d.zero_grad()
            fake = generator(NOISE[variant]())
            loss_d = bce(discriminator(images), valid) + bce(discriminator(fake), invalid)
            loss_d.backward()
            adam_d.step()

            adam_g.zero_grad()
            fake = generator(NOISE[variant]())
            loss_g = bce(discriminator(fake), valid)
            loss_g.backward()
            adam_g.step()

            losses.append((loss_d.item(), loss_g.item()))
            yield


class Ideal:
    """As good as a loop written by hand can be."""

    def __init__(self, variant: str, training: Training, pixels: Tensor) -> None:
        self.noise, self.pixels = NOISE[variant], pixels
        self.bf16 = training.networks["G"].precision is not None
        self.generator, self.discriminator = networks(variant, training)
        if variant == "dcgan":
            self.generator.to(memory_format=torch.channels_last)
            self.discriminator.to(memory_format=torch.channels_last)
        self.weights_g = list(self.generator.parameters())
        self.weights_d = list(self.discriminator.parameters())
        adam = {"lr": 2e-4, "betas": (0.5, 0.999), "weight_decay": WEIGHT_DECAY[variant]}
        self.adam_g = torch.optim.Adam(self.weights_g, **adam, fused=True)
        self.adam_d = torch.optim.Adam(self.weights_d, **adam, fused=True)
        self.averages = [weight.detach().clone() for weight in self.weights_g]
        self.steps = 0
        self.order = torch.randperm(len(pixels))
        self.losses: tuple[Tensor, ...] = ()

    @torch.no_grad()
    def follow(self, training: Training) -> None:
        """Stand where the engine stands: weights, batch statistics, what Adam remembers."""
        for name, net, adam in (
            ("G", self.generator, self.adam_g),
            ("D", self.discriminator, self.adam_d),
        ):
            theirs = training.networks[name]
            for mine, value in zip(
                net.state_dict().values(), theirs.state_dict().values(), strict=True
            ):
                mine.copy_(value)
            remembered = training.updaters[name].optimizer.state
            for mine, parameter in zip(net.parameters(), theirs.parameters(), strict=True):
                for word, value in remembered.get(parameter, {}).items():
                    adam.state[mine][word] = value.clone()

    def batch(self) -> Tensor:
        start = self.steps * BATCH % (len(self.pixels) - BATCH)
        if start < BATCH:
            self.order = torch.randperm(len(self.pixels))
        return self.pixels[self.order[start : start + BATCH]].float().div_(127.5).sub_(1)

    def step(self, x: Tensor | None = None, z: Tensor | None = None) -> None:
        x = self.batch() if x is None else x
        z = self.noise() if z is None else z
        precision = torch.autocast("cpu", torch.bfloat16, enabled=self.bf16)

        with precision:
            on_real = self.discriminator(x)
            fake = self.generator(z)
            on_fake = self.discriminator(fake.detach())
        real, false = F.softplus(-on_real.float()).mean(), F.softplus(on_fake.float()).mean()
        (real + false).backward()
        self.adam_d.step()
        self.adam_d.zero_grad()

        self.discriminator.requires_grad_(False)
        with precision:
            on_fake = self.discriminator(fake)
        fool = F.softplus(-on_fake.float()).mean()
        fool.backward()
        self.adam_g.step()
        self.adam_g.zero_grad()
        self.discriminator.requires_grad_(True)

        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights_g, 1 - decay)
        self.losses = real.detach(), false.detach(), fool.detach()
        self.steps += 1


def engine(variant: str, data: ganzoo.Source, precision: str) -> Training:
    spec = host.default().variant(variant)().spec(data.fields)
    cpu = torch.device("cpu")
    return Training(spec, data, batch=BATCH, seed=0, device=cpu, precision=precision)


def check(variant: str, data: ganzoo.Source, pixels: Tensor, steps: int = 5) -> float:
    """The largest difference of any loss of `ganzoo` and `ideal` in a step, in float32.

    Each step begins where the engine stands. Left to themselves the two drift apart on some
    processors, since Adam's first steps are as long for a gradient that is rounding alone as
    for any other.
    """
    training = engine(variant, data, "fp32")
    ideal = Ideal(variant, training, pixels)
    # their masks are their own: without them the two must agree
    for net in (*training.networks.values(), ideal.generator, ideal.discriminator):
        for module in net.modules():
            if type(module).__name__ == "Dropout":
                module.forward = lambda x: x
    worst = 0.0
    for step in range(steps):
        x, z = training.draws(step, 0, ("x", "z"))
        ideal.follow(training)
        training.round()
        ideal.step(x, z)
        theirs = [training.losses()[name] for name in ("D.real", "D.fake", "G.fool")]
        for mine, value in zip(ideal.losses, theirs, strict=True):
            worst = max(worst, abs(mine.item() - value))
    if worst > TOLERANCE:
        raise SystemExit(f"ganzoo and ideal compute different losses: they differ by {worst:.2g}")
    return worst


# --------------------------------------------------------------------------- measurement


def race(contestants: dict[str, Step], alternations: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step of each contestant, turn by turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(alternations):
        for name in sorted(contestants, key=list(contestants).index, reverse=turn % 2 == 1):
            step = contestants[name]
            for _ in range(UNCOUNTED if name == "public 2" else 2):
                step()
            start = time.perf_counter()
            for _ in range(steps):
                step()
            seconds[name].append((time.perf_counter() - start) / steps)
    return seconds


def ratio(above: list[float], below: list[float]) -> str:
    turns = sorted(a / b for a, b in zip(above, below, strict=True))
    low, _, high = statistics.quantiles(turns, n=4)
    value = statistics.median(above) / statistics.median(below)
    return f"{value:.3f}  ({low:.3f} to {high:.3f})"


def benchmark(variant: str, precision: str, alternations: int, steps: int) -> None:
    data = ganzoo.load_data("mnist" if "GANZOO_DATA" in os.environ else "digits")
    everything = data.batch("image", torch.arange(len(data)))
    pixels = everything.add_(1).mul_(127.5).round_().byte()
    del everything
    difference = check(variant, data, pixels)

    training = engine(variant, data, precision)
    bf16 = training.networks["G"].precision is not None
    # the engine takes its turn first and last, next to the ideal
    steppers: dict[str, Step] = {"ganzoo": training.round}
    steppers["ideal"] = Ideal(variant, training, pixels).step
    for name, workers in (("public", 0), ("public 2", 2)):
        iterator = public(variant, training, pixels, workers)
        steppers[name] = lambda iterator=iterator: next(iterator)
    for step in steppers.values():
        for _ in range(5):
            step()
    seconds = race(steppers, alternations, steps)

    print(
        f"\n{variant} on {data.name}, batch {BATCH}, {'bf16' if bf16 else 'fp32'} (public: fp32), "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{alternations} turns of {steps} steps"
    )
    print(f"largest difference of losses, ganzoo and ideal, fp32: {difference:.1g}\n")
    print(f"  {'':10}  ms/step  images/s")
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"  {name:10} {middle * 1e3:8.1f} {BATCH / middle:9,.0f}")
    best = min(("public", "public 2"), key=lambda name: statistics.median(seconds[name]))
    print()
    for above, below in (("public", "ganzoo"), ("public 2", "ganzoo"), ("ganzoo", "ideal")):
        print(f"  {f'{above} / {below}':18} {ratio(seconds[above], seconds[below])}")
    faster = statistics.median(seconds[best]) / statistics.median(seconds["ganzoo"])
    slower = statistics.median(seconds["ganzoo"]) / statistics.median(seconds["ideal"]) - 1
    print(
        f"\n  {faster:.2f} times as fast as {best!r} (aim: 2); {slower:+.1%} over ideal (aim: 3 %)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("variant", nargs="?", choices=sorted(NETWORKS), help="by default both")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--alternations", type=int, default=20, help="turns of each contestant")
    parser.add_argument("--steps", type=int, default=5, help="counted steps of a turn")
    options = parser.parse_args()
    for variant in [options.variant] if options.variant else list(NETWORKS):
        benchmark(variant, options.precision, options.alternations, options.steps)


if __name__ == "__main__":
    main()
