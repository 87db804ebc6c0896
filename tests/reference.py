"""One training round of each row of the table, written out by hand.

No plan, no evaluator and no vocabulary here: the networks as modules, and for all
else plain torch, as a person would write it from the papers. Each update makes its
own forward passes; only what steps together (BiGAN, ALI) shares them, as there.

`Loop` keeps what came of it: the gradients of each step, and the forward passes made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Draw = Callable[[int, str], Tensor]


class Loop:
    """What all loops share: steps of plain SGD, and a record of what happened.

    `steps` holds for each step the update's name and the gradient of each weight it trains.
    """

    def __init__(self, nets: Mapping[str, nn.Module], draw: Draw, rate: float) -> None:
        self.nets, self.draw, self.rate = nets, draw, rate
        self.steps: list[tuple[str, dict[str, Tensor]]] = []

    def learn(self, name: str, trained: str, loss: Tensor, clip: float | None = None) -> None:
        self.learn_together([(name, trained, loss)])
        if clip is not None:
            with torch.no_grad():
                for net in trained.split():
                    for weight in self.nets[net].parameters():
                        weight.clamp_(-clip, clip)

    def learn_together(self, updates: Sequence[tuple[str, str, Tensor]]) -> None:
        """Several backward passes of the same forward passes; then all step."""
        found: list[dict[str, Tensor]] = []
        for index, (_, trained, loss) in enumerate(updates):
            for net in self.nets.values():
                net.zero_grad()
            loss.backward(retain_graph=index + 1 < len(updates))
            found.append(
                {
                    f"{net}.{path}": weight.grad.clone()
                    for net in trained.split()
                    for path, weight in self.nets[net].named_parameters()
                    if weight.grad is not None
                }
            )
        for (name, _, _), gradients in zip(updates, found, strict=True):
            self.steps.append((name, gradients))
            with torch.no_grad():
                for key, gradient in gradients.items():
                    net, _, path = key.partition(".")
                    self.nets[net].get_parameter(path).sub_(self.rate * gradient)
        for net in self.nets.values():
            net.zero_grad()


def true(logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def false(logits: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))


def penalty(critic: nn.Module, real: list[Tensor], fake: list[Tensor], alpha: Tensor) -> Tensor:
    """arXiv:1704.00028, sample by sample: one alpha and one norm over all that belongs to it."""
    between = []
    for r, f in zip(real, fake, strict=True):
        a = alpha.reshape(-1, *[1] * (r.ndim - 1))
        between.append((a * r + (1 - a) * f).detach().requires_grad_(True))
    out = critic(*between)
    slopes = torch.autograd.grad(out, between, torch.ones_like(out), create_graph=True)
    flat = torch.cat([slope.reshape(len(alpha), -1) for slope in slopes], dim=1)
    return torch.mean((torch.norm(flat, dim=1) - 1) ** 2)


def divergence(h: Tensor) -> Tensor:
    """KL of N(mean, std) from N(0, 1) by torch.distributions."""
    mean, log_std = h[:, : h.shape[1] // 2], h[:, h.shape[1] // 2 :]
    ours = torch.distributions.Normal(mean, torch.exp(log_std))
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return torch.distributions.kl_divergence(ours, standard).mean()


def sample(h: Tensor, e: Tensor) -> Tensor:
    half = h.shape[1] // 2
    return h[:, :half] + torch.exp(h[:, half:]) * e


# ------------------------------------------------------------------------------- rounds


def gan(loop: Loop) -> None:
    D, G = loop.nets["D"], loop.nets["G"]
    x, z = loop.draw(0, "x"), loop.draw(0, "z")
    loop.learn("D", "D", true(D(x)) + false(D(G(z).detach())))
    loop.learn("G", "G", true(D(G(z))))


dcgan = gan


def cgan(loop: Loop) -> None:
    D, G = loop.nets["D"], loop.nets["G"]
    x, y, z = (loop.draw(0, name) for name in "xyz")
    loop.learn("D", "D", true(D(x, y)) + false(D(G(z, y).detach(), y)))
    loop.learn("G", "G", true(D(G(z, y), y)))


cdcgan = cgan


def wgan(loop: Loop) -> None:
    C, G = loop.nets["C"], loop.nets["G"]
    for k in range(5):
        x, z = loop.draw(k, "x"), loop.draw(k, "z")
        gap = C(G(z).detach()).mean() - C(x).mean()
        loop.learn("C", "C", gap, clip=0.01)
    loop.learn("G", "G", -C(G(z)).mean())


def wgan_gp(loop: Loop) -> None:
    C, G = loop.nets["C"], loop.nets["G"]
    for k in range(5):
        x, z = loop.draw(k, "x"), loop.draw(k, "z")
        fake = G(z).detach()
        gap = C(fake).mean() - C(x).mean()
        loop.learn("C", "C", gap + 10 * penalty(C, [x], [fake], loop.draw(k, "mix")))
    loop.learn("G", "G", -C(G(z)).mean())


def bigan(loop: Loop) -> None:
    D, E, G = (loop.nets[name] for name in "DEG")
    x, z = loop.draw(0, "x"), loop.draw(0, "z")
    _both_ways(loop, D(x, E(x)), D(G(z), z))


def ali(loop: Loop) -> None:
    D, E, G = (loop.nets[name] for name in "DEG")
    x, z, e = (loop.draw(0, name) for name in "xze")
    _both_ways(loop, D(x, sample(E(x), e)), D(G(z), z))


def _both_ways(loop: Loop, encoded: Tensor, decoded: Tensor) -> None:
    loop.learn_together(
        [
            ("D", "D", true(encoded) + false(decoded)),
            ("E_G", "E G", false(encoded) + true(decoded)),
        ]
    )


def wbigan(loop: Loop) -> None:
    C, E, G = (loop.nets[name] for name in "CEG")
    for k in range(5):
        x, z = loop.draw(k, "x"), loop.draw(k, "z")
        fake, code = G(z).detach(), E(x).detach()
        gap = C(fake, z).mean() - C(x, code).mean()
        along = penalty(C, [x, code], [fake, z], loop.draw(k, "mix"))
        loop.learn("C", "C", gap + 10 * along)
    loop.learn("E_G", "E G", C(x, E(x)).mean() - C(G(z), z).mean())


def ganomaly(loop: Loop) -> None:
    GE, GD, E, D = (loop.nets[name] for name in ("GE", "GD", "E", "D"))
    x = loop.draw(0, "x")
    code = GE(x)
    recon = GD(code)
    features = [D(image, outputs=("features",)) for image in (x, recon)]
    loss = F.mse_loss(*features) + 50 * F.l1_loss(recon, x) + F.mse_loss(E(recon), code)
    loop.learn("G", "GE GD E", loss)
    loop.learn("D", "D", true(D(x)) + false(D(GD(GE(x)).detach())))


def discogan(loop: Loop, judging: bool, reconstruction: float) -> None:
    AB, BA, DA, DB = (loop.nets[name] for name in ("AB", "BA", "DA", "DB"))
    a, b = loop.draw(0, "a"), loop.draw(0, "b")
    ab, ba = AB(a), BA(b)
    if judging:
        real, fake = true(DA(a)) + true(DB(b)), false(DA(ba.detach())) + false(DB(ab.detach()))
        loop.learn("D", "DA DB", real + fake)
        return
    judged, matching = 0, 0
    for discriminator, genuine, forged in ((DB, b, ab), (DA, a, ba)):
        logits, *levels = discriminator(forged, outputs=("", "low", "high"))
        judged = judged + true(logits)
        for one, other in zip(discriminator(genuine, outputs=("low", "high")), levels, strict=True):
            matching = matching + F.mse_loss(one.mean(dim=0), other.mean(dim=0))
    back = F.mse_loss(BA(ab), a) + F.mse_loss(AB(ba), b)
    r = reconstruction
    loop.learn("G", "AB BA", (1 - r) * (0.1 * judged + 0.9 * matching) + r * back)


def stackgan_small(loop: Loop) -> None:
    CA, G, D = (loop.nets[name] for name in ("CA", "G", "D"))
    x, t, z, e = (loop.draw(0, name) for name in "xtze")
    small = F.avg_pool2d(x, 2)
    _with_text(loop, "small", D, small, t, lambda: G(z, sample(CA(t), e)).detach())
    h = CA(t)
    loss = true(D(G(z, sample(h, e)), t)) + 2 * divergence(h)
    loop.learn("painter_small", "G CA", loss)


def stackgan_large(loop: Loop) -> None:
    CA, G, CA2, G2, D2 = (loop.nets[name] for name in ("CA", "G", "CA2", "G2", "D2"))
    x, t, z, e, e2 = (loop.draw(0, name) for name in ("x", "t", "z", "e", "e2"))

    def sketch() -> Tensor:
        return G(z, sample(CA(t), e))

    _with_text(loop, "large", D2, x, t, lambda: G2(sketch(), sample(CA2(t), e2)).detach())
    h = CA2(t)
    loss = true(D2(G2(sketch(), sample(h, e2)), t)) + 2 * divergence(h)
    loop.learn("painter_large", "G2 CA2", loss)


def _with_text(
    loop: Loop,
    size: str,
    discriminator: nn.Module,
    real: Tensor,
    t: Tensor,
    fake: Callable[[], Tensor],
) -> None:
    """Right pairs, real images that meet a stranger's text, and painted ones."""
    stranger = torch.cat([real[-1:], real[:-1]])
    loss = true(discriminator(real, t)) + 0.5 * (
        false(discriminator(stranger, t)) + false(discriminator(fake(), t))
    )
    loop.learn(f"critic_{size}", "D" if size == "small" else "D2", loss)


ROUNDS: dict[tuple[str, int, int], Callable[[Loop], None]] = {
    ("gan", 0, 0): gan,
    ("dcgan", 0, 0): dcgan,
    ("cgan", 0, 0): cgan,
    ("cdcgan", 0, 0): cdcgan,
    ("wgan", 0, 0): wgan,
    ("wgan_gp", 0, 0): wgan_gp,
    ("bigan", 0, 0): bigan,
    ("ali", 0, 0): ali,
    ("wbigan", 0, 0): wbigan,
    ("ganomaly", 0, 0): ganomaly,
    ("discogan", 0, 0): lambda loop: discogan(loop, True, 0.01),
    ("discogan", 0, 1): lambda loop: discogan(loop, False, 0.01),
    ("discogan", 1, 0): lambda loop: discogan(loop, True, 0.5),
    ("discogan", 1, 1): lambda loop: discogan(loop, False, 0.5),
    ("stackgan", 0, 0): stackgan_small,
    ("stackgan", 1, 0): stackgan_large,
}
"""The loop for each kind of round: row, stage, and the first round number of its pattern."""


class Passes:
    """Counts the forward passes of networks while it is open."""

    def __init__(self, nets: Mapping[str, nn.Module]) -> None:
        self.count: Counter[str] = Counter()
        self._nets = nets

    def __enter__(self) -> Counter[str]:
        def counter(name: str) -> Callable[..., None]:
            return lambda *_: self.count.update([name])

        self._hooks = [net.register_forward_hook(counter(n)) for n, net in self._nets.items()]
        return self.count

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
