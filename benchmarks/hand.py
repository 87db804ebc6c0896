"""Loops written by hand: as good as a loop can be, and as public scripts have it.

They train the very modules that ganzoo builds, taken out of its networks, so that the loops are
what differs. `tests/test_benchmarks.py` gives each the draws of a run and compares the losses.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ganzoo.nn.modules import Net


@dataclass(frozen=True)
class Game:
    """What a loop by hand plays. `loss` is bce, wasserstein or relativistic (R3GAN's, with R1 and
    R2 of weight `penalty`); `lr` the rates of the discriminator and the generator."""

    discriminator: str
    latent: int
    batch: int
    lr: tuple[float, float]
    betas: tuple[float, float]
    loss: str = "bce"
    steps: int = 1
    penalty: float = 0.0
    decay: float = 0.0


def sequential(net: Net) -> nn.Module:
    """The modules of a network with one input, a copy; the network where they are not in a row."""
    modules = [*net.inputs.values(), net.layers]
    flat = [module for layers in modules for module in layers.children()]
    alone = nn.Sequential(*copy.deepcopy(flat))
    try:
        with torch.no_grad():
            alone(torch.zeros(2, *net.shapes[0], device=next(net.parameters()).device))
    except (TypeError, AttributeError, RuntimeError):
        return copy.deepcopy(net)
    return alone


def gradient_norms(scores: Tensor, points: Tensor) -> Tensor:
    [gradient] = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return gradient.float().flatten(1).square().sum(1)


class Learning:
    """Steps by hand: gradients of the trained weights alone, then the optimizer."""

    def learn(self, weights: list[nn.Parameter], optimizer: torch.optim.Adam, loss: Tensor) -> None:
        self.differentiate(weights, loss)
        self.apply(weights, optimizer)

    def differentiate(
        self, weights: list[nn.Parameter], loss: Tensor, keep_graph: bool = False
    ) -> None:
        gradients = torch.autograd.grad(loss, weights, retain_graph=keep_graph, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None and gradient.stride() != weight.stride():
                # the fused kernels of torch take both for one order in memory
                gradient = torch.empty_like(weight).copy_(gradient)
            weight.grad = gradient

    @staticmethod
    def apply(weights: list[nn.Parameter], optimizer: torch.optim.Adam) -> None:
        optimizer.step()
        for weight in weights:
            weight.grad = None


class Loop(Learning):
    """As good as a loop by hand can be: bytes on the device, G's batch shared by both updates,
    no gradient that nobody uses, bf16, channels last, fused Adam, a moving average; captured in a
    CUDA graph, with its draws, where `graph` is set."""

    def __init__(
        self, game: Game, nets: dict[str, Net], pixels: Tensor, *, bf16: bool, graph: bool = False
    ) -> None:
        self.game, self.pixels, self.bf16 = game, pixels, bf16
        self.device = pixels.device
        self.G, self.D = (sequential(nets[name]) for name in ("G", game.discriminator))
        self.weights_g, self.weights_d = list(self.G.parameters()), list(self.D.parameters())
        self.adam_d, self.adam_g = (
            torch.optim.Adam(
                weights, lr, game.betas, weight_decay=game.decay, fused=True, capturable=graph
            )
            for weights, lr in zip((self.weights_d, self.weights_g), game.lr, strict=True)
        )
        self.averages = [weight.detach().clone() for weight in self.weights_g]
        self.order = torch.randperm(len(pixels), device=self.device)
        self.position = torch.zeros((), dtype=torch.int64, device=self.device)
        self.offsets = torch.arange(game.batch, device=self.device)
        self.step = self.capture() if graph else self.round

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.round()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.round()
        return graph.replay

    def draw(self, name: str) -> Tensor:
        """Images x, codes z, or where between real and fake ones a gradient is penalised, mix."""
        if name == "z":
            return torch.randn(self.game.batch, self.game.latent, device=self.device)
        if name == "mix":
            return torch.rand(self.game.batch, device=self.device)
        index = (self.position + self.offsets) % len(self.order)
        self.position += self.game.batch
        return self.pixels[self.order[index]].float().div_(127.5).sub_(1)

    def call(self, net: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return net(x).float()

    def round(self) -> None:
        game = self.game
        for step in range(game.steps):
            x, z = self.draw("x"), self.draw("z")
            with torch.set_grad_enabled(step == game.steps - 1):
                fake = self.call(self.G, z)
            self.learn(self.weights_d, self.adam_d, self.judge_loss(x, fake.detach()))
        if game.loss == "bce":
            loss = F.softplus(-self.call(self.D, fake)).mean()
        elif game.loss == "wasserstein":
            loss = -self.call(self.D, fake).mean()
        else:
            with torch.no_grad():
                real = self.call(self.D, x)
            loss = F.softplus(real - self.call(self.D, fake)).mean()
        self.learn(self.weights_g, self.adam_g, loss)
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights_g, 1e-3)

    def judge_loss(self, x: Tensor, fake: Tensor) -> Tensor:
        game = self.game
        if game.loss == "bce":
            real, false = self.call(self.D, x), self.call(self.D, fake)
            return F.softplus(-real).mean() + F.softplus(false).mean()
        if game.loss == "wasserstein":
            mix = self.draw("mix").view(-1, 1, 1, 1)
            points = torch.lerp(fake, x, mix).requires_grad_()
            norms = (gradient_norms(self.call(self.D, points), points) + 1e-12).sqrt()
            penalty = (norms - 1).square().mean()
            gap = self.call(self.D, fake).mean() - self.call(self.D, x).mean()
            return gap + game.penalty * penalty
        x, fake = x.requires_grad_(), fake.requires_grad_()
        real, false = self.call(self.D, x), self.call(self.D, fake)
        squares = gradient_norms(real, x).mean() + gradient_norms(false, fake).mean()
        return F.softplus(false - real).mean() + game.penalty / 2 * squares


class Pictures(Dataset):
    """Pictures as torchvision's data sets give them."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels.cpu().permute(0, 2, 3, 1).squeeze(-1).contiguous().numpy()
        middle = (0.5,) * (1 if self.pixels.ndim == 3 else 3)
        normal = transforms.Normalize(middle, middle)
        self.transform = transforms.Compose([transforms.ToTensor(), normal])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), 0


def public(game: Game, nets: dict[str, Net], pixels: Tensor, workers: int) -> Iterator[None]:
    """As public scripts have it: PIL transforms in a DataLoader, no detach in D's update, D's
    gradients computed and thrown away in G's, a new batch of G for each, every loss read every
    step, Adam, float32."""
    device = pixels.device
    G, D = sequential(nets["G"]), sequential(nets[game.discriminator])
    adam_d, adam_g = (
        torch.optim.Adam(net.parameters(), lr, game.betas, weight_decay=game.decay)
        for net, lr in zip((D, G), game.lr, strict=True)
    )
    bce = nn.BCEWithLogitsLoss()
    valid = torch.ones(game.batch, 1, device=device)
    loader = DataLoader(
        Pictures(pixels), game.batch, shuffle=True, drop_last=True, num_workers=workers,
        persistent_workers=workers > 0, pin_memory=device.type == "cuda",
    )  # fmt: skip
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    losses: list[float] = []
    while True:
        for _ in range(game.steps):
            x = next(batches)[0].to(device)
            adam_d.zero_grad()
            fake = G(torch.randn(game.batch, game.latent, device=device))
            if game.loss == "bce":
                loss = bce(D(x), valid) + bce(D(fake), 1 - valid)
            else:
                mix = torch.rand(game.batch, 1, 1, 1, device=device)
                points = (mix * x + (1 - mix) * fake).detach().requires_grad_()
                norms = (gradient_norms(D(points), points) + 1e-12).sqrt()
                loss = D(fake).mean() - D(x).mean() + game.penalty * ((norms - 1) ** 2).mean()
            loss.backward()
            adam_d.step()
            losses.append(loss.item())
        adam_g.zero_grad()
        verdict = D(G(torch.randn(game.batch, game.latent, device=device)))
        loss = bce(verdict, valid) if game.loss == "bce" else -verdict.mean()
        loss.backward()
        adam_g.step()
        losses.append(loss.item())
        yield
