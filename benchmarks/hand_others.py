"""Loops written by hand for networks that are no generator and discriminator alone: GANomaly,
DiscoGAN and the second stage of StackGAN, as good as they can be."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from hand import Learning
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.nn.modules import Net, Row, Tap
from ganzoo.spec import Spec
from ganzoo.spec.layers import Inject, Residual


class Block(nn.Module):
    """A residual block out of a network."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.inside = nn.Sequential(*row.children())

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x) + x


class Piece(nn.Sequential):
    """Some layers of a network in a row."""

    bf16 = False

    def forward(self, input: Tensor) -> Tensor:
        if not self.bf16:
            return super().forward(input)
        with torch.autocast("cpu", torch.bfloat16):
            return super().forward(input).float()


def pieces(row: Row, bf16: bool) -> list[Piece]:
    """The modules of a row, cut where something is tapped or joined."""
    found: list[list[nn.Module]] = [[]]
    for module in row.children():
        layer = module._layer
        if isinstance(module, Tap) or isinstance(layer, Inject):
            found.append([])
        else:
            found[-1].append(Block(module.layers) if isinstance(layer, Residual) else module)
    made = [Piece(*modules) for modules in found]
    for piece in made:
        piece.bf16 = bf16
    return made


class Loop(Learning):
    """Networks of ganzoo taken apart, data as bytes or vectors, noise; one round a `step`."""

    def __init__(self, spec: Spec, nets: Mapping[str, Net], arrays: Mapping[str, Tensor]) -> None:
        self.spec, self.arrays, self.batch = spec, arrays, spec.batch
        self.nets = {name: copy.deepcopy(net) for name, net in nets.items()}
        self.bf16 = any(net.precision is torch.bfloat16 for net in nets.values())
        self.parts = {name: pieces(net.layers, self.bf16) for name, net in self.nets.items()}
        self.orders = {name: torch.randperm(len(rows)) for name, rows in arrays.items()}
        self.averages = {
            name: [weight.detach().clone() for weight in self.weights(name)] for name in spec.ema
        }
        self.rounds = 0

    def weights(self, *names: str) -> list[nn.Parameter]:
        return [weight for name in names for weight in self.nets[name].parameters()]

    def adam(self, *names: str) -> tuple[list[nn.Parameter], torch.optim.Adam]:
        updates = (update for stage in self.spec.stages for update in stage.updates)
        declared: Any = next(update.optimizer for update in updates if update.train == names)
        weights = self.weights(*names)
        settings = {"betas": declared.betas, "weight_decay": declared.weight_decay}
        return weights, torch.optim.Adam(weights, lr=declared.lr, fused=True, **settings)

    def draw(self, name: str) -> Tensor:
        """A batch of data of that name, or of normal noise."""
        if name not in self.arrays:
            return torch.randn(self.batch, self.spec.draws[name].size)
        rows, order = self.arrays[name], self.orders[name]
        start = self.rounds * self.batch % (len(rows) - self.batch)
        found = rows[order[start : start + self.batch]]
        return found.float().div_(127.5).sub_(1) if found.dtype == torch.uint8 else found

    @torch.no_grad()
    def average(self) -> None:
        for name, kept in self.averages.items():
            torch._foreach_lerp_(kept, self.weights(name), 1e-3)


class Anomalies(Loop):
    """GANomaly: one forward pass of each image through D for both updates, which step together."""

    def __init__(self, spec: Spec, nets: Mapping[str, Net], arrays: Mapping[str, Tensor]) -> None:
        super().__init__(spec, nets, arrays)
        [self.encode], [self.decode], [self.again] = (
            self.parts[name] for name in ("GE", "GD", "E")
        )
        self.features, self.head = self.parts["D"]
        self.weights_g, self.adam_g = self.adam("GE", "GD", "E")
        self.weights_d, self.adam_d = self.adam("D")

    def step(self) -> None:
        x = self.draw("x")
        seen = self.features(x)
        code = self.encode(x)
        recon = self.decode(code)
        made = self.features(recon)
        loss_g = F.mse_loss(made, seen) + 50 * F.l1_loss(recon, x)
        loss_g = loss_g + F.mse_loss(self.again(recon), code)
        loss_d = F.softplus(-self.head(seen)).mean() + F.softplus(self.head(made)).mean()
        self.differentiate(self.weights_g, loss_g, keep_graph=True)
        self.learn(self.weights_d, self.adam_d, loss_d)
        self.apply(self.weights_g, self.adam_g)
        self.rounds += 1


class Domains(Loop):
    """DiscoGAN: of three rounds, one is the discriminators' and two are the generators'."""

    def __init__(self, spec: Spec, nets: Mapping[str, Net], arrays: Mapping[str, Tensor]) -> None:
        super().__init__(spec, nets, arrays)
        [self.AB], [self.BA] = self.parts["AB"], self.parts["BA"]
        self.weights_g, self.adam_g = self.adam("AB", "BA")
        self.weights_d, self.adam_d = self.adam("DA", "DB")

    def step(self) -> None:
        a, b = self.draw("a"), self.draw("b")
        if self.rounds % 3 == 0:
            with torch.no_grad():
                ab, ba = self.AB(a), self.BA(b)
            scores = [
                self.score(*given) for given in (("DA", a), ("DB", b), ("DA", ba), ("DB", ab))
            ]
            real = F.softplus(-scores[0]).mean() + F.softplus(-scores[1]).mean()
            fake = F.softplus(scores[2]).mean() + F.softplus(scores[3]).mean()
            self.learn(self.weights_d, self.adam_d, 0.5 * real + 0.5 * fake)
        else:
            ab, ba = self.AB(a), self.BA(b)
            r = 0.01  # in the first stage
            (fool_a, match_a), (fool_b, match_b) = (
                self.fooled("DA", a, ba),
                self.fooled("DB", b, ab),
            )
            again = F.mse_loss(self.BA(ab), a) + F.mse_loss(self.AB(ba), b)
            fool, match = 0.1 * (fool_a + fool_b), 0.9 * (match_a + match_b)
            self.learn(self.weights_g, self.adam_g, (1 - r) * (fool + match) + r * again)
        self.average()
        self.rounds += 1

    def score(self, name: str, x: Tensor) -> Tensor:
        for part in self.parts[name]:
            x = part(x)
        return x

    def fooled(self, name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and how far the means of features lie apart."""
        *levels, head = self.parts[name]
        apart = torch.zeros(())
        for level in levels:
            with torch.no_grad():
                real = level(real)
            fake = level(fake)
            apart = apart + (real.mean(0) - fake.mean(0)).square().mean()
        return F.softplus(-head(fake)).mean(), apart


class Large(Loop):
    """StackGAN's second stage: the first one frozen, one fake batch for both updates."""

    def __init__(self, spec: Spec, nets: Mapping[str, Net], arrays: Mapping[str, Tensor]) -> None:
        super().__init__(spec, nets, arrays)
        for name in ("G", "CA"):
            self.nets[name].eval()
        [self.sketch], [self.condition], [self.condition2] = (
            self.parts[name] for name in ("G", "CA", "CA2")
        )
        self.into = {
            name: pieces(self.nets[name].inputs["t"], self.bf16)[0] for name in ("CA", "CA2", "D2")
        }
        self.weights_g, self.adam_g = self.adam("G2", "CA2")
        self.weights_d, self.adam_d = self.adam("D2")

    def step(self) -> None:
        x, t, z, e, e2 = map(self.draw, ("x", "t", "z", "e", "e2"))
        with torch.no_grad():
            mean, deviation = self.condition(self.into["CA"](t)).chunk(2, 1)
            sketch = self.sketch(torch.cat((z, mean + deviation.exp() * e), 1))
        loss = F.softplus(-self.score(x, t)).mean()
        loss = loss + 0.5 * F.softplus(self.score(x.roll(1, 0), t)).mean()
        mean, deviation = self.condition2(self.into["CA2"](t)).chunk(2, 1)
        before, after = self.parts["G2"]
        fake = after(joined(before(sketch), mean + deviation.exp() * e2))
        loss = loss + 0.5 * F.softplus(self.score(fake.detach(), t)).mean()
        self.learn(self.weights_d, self.adam_d, loss)
        kl = 0.5 * (mean.square() + (2 * deviation).exp() - 1 - 2 * deviation).mean()
        loss = F.softplus(-self.score(fake, t)).mean() + 2 * kl
        self.learn(self.weights_g, self.adam_g, loss)
        self.rounds += 1

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        before, after = self.parts["D2"]
        return after(joined(before(x), self.into["D2"](t)))


def joined(x: Tensor, vector: Tensor) -> Tensor:
    """A map, and a vector that is tiled over it."""
    return torch.cat((x, vector[:, :, None, None].expand(-1, -1, *x.shape[2:])), 1)


LOOPS = {"ganomaly": Anomalies, "discogan": Domains, "stackgan": Large}
