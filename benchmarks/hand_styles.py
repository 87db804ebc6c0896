"""A StyleGAN2 loop written by hand, with the authors' tricks: lazy R1, lazy path length, one fake
batch for both updates, mixed styles, a half-life that grows. It trains the modules of ganzoo."""

from __future__ import annotations

import copy

import torch
from hand import Learning, gradient_norms
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.nn.modules import Net
from ganzoo.spec import Spec

R1_EVERY, PATHS_EVERY = 16, 4
RATE = 0.002


def lazy_adam(weights: list[nn.Parameter], every: int) -> torch.optim.Adam:
    """As the authors correct Adam for a penalty in each `every`-th round."""
    share = every / (every + 1)
    return torch.optim.Adam(weights, lr=RATE * share, betas=(0.0, 0.99**share), fused=True)


class Styles(Learning):
    """One round a call of `step`, with the weights and in the precision of ganzoo's networks."""

    def __init__(self, spec: Spec, nets: dict[str, Net], pixels: Tensor) -> None:
        self.spec, self.pixels, self.batch_size = spec, pixels, spec.batch
        self.M, self.S, self.D = (copy.deepcopy(nets[name]) for name in ("M", "S", "D"))
        self.rows = self.S.shapes[0][0]
        self.weights_g = [*self.M.parameters(), *self.S.parameters()]
        self.weights_d = [*self.D.parameters()]
        self.adam_d = lazy_adam(self.weights_d, R1_EVERY)
        self.adam_g = lazy_adam(self.weights_g, PATHS_EVERY)
        self.averages = [weight.detach().clone() for weight in self.weights_g]
        self.w_mean = torch.zeros(self.M.leaves[""][0])
        self.length = torch.zeros(())
        self.rounds = 0
        self.order = torch.randperm(len(pixels))

    def draw(self, name: str) -> Tensor:
        """x, codes z and u, maps n, where styles mix (cut, gate), and pixels for the lengths."""
        if name == "x":
            start = self.rounds * self.batch_size % (len(self.pixels) - self.batch_size)
            index = self.order[start : start + self.batch_size]
            return self.pixels[index].float().div_(127.5).sub_(1)
        if name in ("cut", "gate"):
            return torch.rand(self.batch_size)
        shapes = {"n": self.S.shapes[1], "noise": self.pixels.shape[1:]}
        return torch.randn(self.batch_size, *shapes.get(name, self.M.shapes[0]))

    def styles(self, z: Tensor, u: Tensor, cut: Tensor, gate: Tensor) -> Tensor:
        """Rows of one code up to a random row, of another from there on; nine times in ten."""
        a, b = (code[:, None].expand(-1, self.rows, -1) for code in (z, u))
        first = 1 + (cut * (self.rows - 1)).floor()
        other = (torch.arange(self.rows) >= first[:, None]) & (gate < 0.9)[:, None]
        return torch.where(other[:, :, None], b, a)

    def step(self) -> None:
        x, z, u, noise, cut, gate = map(self.draw, ("x", "z", "u", "n", "cut", "gate"))

        fake = self.S(self.styles(self.M(z), self.M(u), cut, gate), noise)
        loss = F.softplus(self.D(fake.detach())).mean() + F.softplus(-self.D(x)).mean()
        self.learn(self.weights_d, self.adam_d, loss)
        if self.rounds % R1_EVERY == 0:
            points = x.clone().requires_grad_()
            penalty = gradient_norms(self.D(points), points).mean()
            self.learn(self.weights_d, self.adam_d, self.r1() * penalty)

        self.learn(self.weights_g, self.adam_g, F.softplus(-self.D(fake)).mean())
        paths = self.rounds % PATHS_EVERY == 0
        with torch.set_grad_enabled(paths):
            found = self.M(z)
        self.w_mean.lerp_(found.detach().mean(0), 0.005)
        if paths:
            w = self.styles(found, self.M(u), cut, gate)
            fake = self.S(w, noise)
            [slope] = torch.autograd.grad(
                (fake * self.draw("noise")).sum() / fake.shape[-1], w, create_graph=True
            )
            lengths = slope.flatten(1).square().sum(1).add(1e-12).sqrt() / self.rows**0.5
            self.learn(self.weights_g, self.adam_g, 8 * (lengths - self.length).square().mean())
            self.length = torch.lerp(self.length, lengths.detach().mean(), 0.01)
        half_life = min(10_000, 0.05 * self.rounds * self.batch_size)
        decay = 0.5 ** (self.batch_size / half_life) if half_life else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.weights_g, 1 - decay)
        self.rounds += 1

    def r1(self) -> float:
        text = self.spec.stages[0].round[1].minimize["r1"]
        return float(text.partition("*")[0])
