"""The modern variants that ship against loops written by hand: gradients and state, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.engine.plan import Plan
from ganzoo.nn.build import build
from ganzoo.plugins.host import default
from ganzoo.testing import CHECKS, conforms, noise
from tests.by_hand import ByHand, agree, small
from tests.modern import MODERN, PRESETS
from tests.reference import Loop, divergence, false, penalty, sample, true
from tests.shipped import changed

wide = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", MODERN)
def test_every_modern_variant_conforms(name: str, check: str) -> None:
    conforms(name, check, **MODERN[name])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fits_its_papers_images(name: str) -> None:
    """Shapes of the whole, at the authors' sizes, without memory."""
    size, channels = PRESETS[name]
    spec = default().variant(name)().spec(noise(size, channels).fields)
    assert build(spec)


def squared(values: Tensor, target: float) -> Tensor:
    return ((values - target) ** 2).mean()


# ---------------------------------------------------------------------------- image to image


def shades(b: Tensor) -> Tensor:
    return sum(w * b[:, i : i + 1] for i, w in enumerate((0.299, 0.587, 0.114)))  # type: ignore[return-value]


def pix2pix(loop: Loop) -> None:
    D, G = loop.nets["D"], loop.nets["G"]
    b, u = loop.draw(0, "b"), loop.draw(0, "u")
    fake = G(shades(b), u).detach()
    loop.learn("D", "D", (true(D(shades(b), b)) + false(D(shades(b), fake))) / 2)
    fake = G(shades(b), u)
    loop.learn("G", "G", true(D(shades(b), fake)) + 100 * (fake - b).abs().mean())


@wide
def test_pix2pix() -> None:
    agree(small("pix2pix", width=4), [pix2pix] * 2)


class Images:
    """The authors' buffer: full after `size` images, then each is exchanged half of the time.

    Which image meets which place is what ganzoo draws: sample number r by rank has a part of
    the places of its own.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def query(self, images: Tensor, place: Tensor, swap: Tensor) -> Tensor:
        order = sorted(range(len(images)), key=lambda i: place[i].item())
        seen: list[Tensor] = []
        full, changes = len(self.kept) == self.size, dict[int, Tensor]()
        for i, image in enumerate(images):
            if len(self.kept) < self.size:
                self.kept.append(image)
            elif full and swap[i] < 0.5:
                rank = order.index(i)
                first, end = (r * self.size // len(images) for r in (rank, rank + 1))
                slot = first + int((place[i].item() * 1e4) % 1 * (end - first))
                seen.append(self.kept[slot])
                changes[slot] = image
                continue
            seen.append(image)
        for slot, image in changes.items():
            self.kept[slot] = image
        return torch.stack(seen)


def cyclegan(pools: dict[str, Images], loop: Loop) -> None:
    AB, BA, DA, DB = (loop.nets[name] for name in ("AB", "BA", "DA", "DB"))
    a, b = loop.draw(0, "a"), loop.draw(0, "b")
    ab, ba = AB(a), BA(b)
    made = squared(DB(ab), 1) + squared(DA(ba), 1)
    made = made + 10 * (F.l1_loss(BA(ab), a) + F.l1_loss(AB(ba), b))
    made = made + 5 * (F.l1_loss(AB(b), b) + F.l1_loss(BA(a), a))
    old = {
        name: pool.query(
            {"old_a": ba, "old_b": ab}[name].detach(),
            loop.draw(0, f"{name}.place"),
            loop.draw(0, f"{name}.swap"),
        )
        for name, pool in pools.items()
    }
    judged = squared(DA(a), 1) + squared(DB(b), 1)
    judged = (judged + squared(DA(old["old_a"]), 0) + squared(DB(old["old_b"]), 0)) / 2
    loop.learn_together([("G", "AB BA", made), ("D", "DA DB", judged)])


@wide
def test_cyclegan() -> None:
    """Over five rounds: the pool fills in two, and then shows older translations."""
    pools = {"old_a": Images(6), "old_b": Images(6)}
    spec = small("cyclegan", width=3, blocks=1, layers=1, pool=6, channels=1)
    followed = agree(spec, [lambda loop: cyclegan(pools, loop)] * 5, size=1)
    for name, pool in pools.items():
        assert torch.allclose(followed.held(name, "samples"), torch.stack(pool.kept), atol=1e-9)


def chosen(values: Tensor, u: Tensor) -> Tensor:
    """One place in each strip of a map, (batch, c, n), place by place."""
    batch, c, h, w = values.shape
    spots, n = h * w, min(u.shape[1], h * w)
    found = torch.zeros(batch, c, n)
    rows = []
    for s in range(batch):
        places = []
        for i in range(n):
            low, high = i * spots // n, (i + 1) * spots // n
            place = low + int(u[s, i].item() * (high - low))
            places.append(values[s, :, place // w, place % w])
        rows.append(torch.stack(places, 1))
    found = torch.stack(rows)
    return found


def contrast(heads: list[Any], made: list[Tensor], given: list[Tensor], u: Tensor) -> Tensor:
    """PatchNCE, place by place: the own key against all keys of the same image."""
    total = torch.zeros(())
    for head, queries, keys in zip(heads, made, given, strict=True):
        q = head(chosen(queries, u)[..., None])[..., 0]
        k = head(chosen(keys, u)[..., None])[..., 0].detach()
        losses = []
        for s in range(len(q)):
            for i in range(q.shape[2]):
                query = q[s, :, i] / q[s, :, i].norm()
                logits = [
                    torch.dot(query, k[s, :, j] / k[s, :, j].norm()) / 0.07
                    for j in range(q.shape[2])
                ]
                losses.append(torch.logsumexp(torch.stack(logits), 0) - logits[i])
        total = total + torch.stack(losses).mean()
    return total / len(heads)


def cut(loop: Loop, identity: bool = True) -> None:
    G, D = loop.nets["G"], loop.nets["D"]
    heads = [loop.nets[f"F{i}"] for i in range(5)]
    taps = tuple(f"f{i}" for i in range(5))
    a, b, u = (loop.draw(0, name) for name in "abu")
    mirrored = torch.zeros(len(a), 1, 1, 1, dtype=torch.bool)
    if not identity:
        mirrored = (loop.draw(0, "m") < 0.5)[:, :, None, None]

    def turned(values: Tensor) -> Tensor:
        return torch.where(mirrored, values.flip(3), values)

    loop.learn("D", "D", (squared(D(b), 1) + squared(D(G(turned(a)).detach()), 0)) / 2)
    fake = G(turned(a))
    made = [turned(values) for values in G(fake, outputs=taps)]
    loss = (0.5 if identity else 10) * contrast(heads, made, G(a, outputs=taps), u)
    if identity:
        same = G(b)
        loss = loss + 0.5 * contrast(heads, G(same, outputs=taps), G(b, outputs=taps), u)
    loop.learn("G", "G F0 F1 F2 F3 F4", squared(D(fake), 1) + loss)


TINY_CUT = {"width": 3, "blocks": 2, "layers": 1, "code": 5, "places": 7, "channels": 1}


@wide
def test_cut() -> None:
    agree(small("cut", **TINY_CUT), [cut] * 2)


@wide
def test_cut_fast() -> None:
    agree(small("cut-fast", **TINY_CUT), [lambda loop: cut(loop, identity=False)] * 2)


# ------------------------------------------------------------------------- codes and classes


def infogan(loop: Loop) -> None:
    G, D = loop.nets["G"], loop.nets["D"]
    x, z, c, v = (loop.draw(0, name) for name in "xzcv")

    def information(q: Tensor) -> Tensor:
        told = torch.log_softmax(q[:, :10], 1)[torch.arange(len(c)), c].mean() + torch.log(
            torch.tensor(10.0)
        )
        gauss = torch.distributions.Normal(q[:, 10:], 1.0).log_prob(v)
        most = torch.distributions.Normal(v, 1.0).log_prob(v)
        return told + (gauss - most).sum(1).mean()

    verdict, q = D(G(z, c, v).detach(), outputs=("", "Q"))
    loop.learn("D", "D", true(D(x)) + false(verdict) - information(q))
    verdict, q = D(G(z, c, v), outputs=("", "Q"))
    loop.learn("G", "G", true(verdict) - information(q))


@wide
def test_infogan() -> None:
    agree(small("infogan", width=4, hidden=16, latent=5), [infogan] * 2)


def acgan(loop: Loop) -> None:
    G, D = loop.nets["G"], loop.nets["D"]
    x, y, z = (loop.draw(0, name) for name in "xyz")
    real, told = D(x, outputs=("", "classes"))
    made, told_of_made = D(G(z, y).detach(), outputs=("", "classes"))
    loss = true(real) + false(made) + F.cross_entropy(told, y) + F.cross_entropy(told_of_made, y)
    loop.learn("D", "D", loss)
    made, told = D(G(z, y), outputs=("", "classes"))
    loop.learn("G", "G", true(made) + F.cross_entropy(told, y))


@wide
def test_acgan() -> None:
    agree(small("acgan", width=2, latent=5), [acgan] * 2)


# -------------------------------------------------------------------------------- anomalies


def dcgan(loop: Loop) -> None:
    G, D = loop.nets["G"], loop.nets["D"]
    x, z = loop.draw(0, "x"), loop.draw(0, "z")
    loop.learn("D", "D", true(D(x)) + false(D(G(z).detach())))
    loop.learn("G", "G", true(D(G(z))))


@wide
def test_anogan() -> None:
    agree(small("anogan", width=4, latent=5), [dcgan] * 2)


def wgan_gp(loop: Loop, point: str) -> None:
    """The generator learns from the images of the critic's last step, so that batch norm's
    running statistics, which the encoder's stage uses, see each batch once."""
    C, G = loop.nets["C"], loop.nets["G"]
    made = torch.zeros(())
    for k in range(5):
        x, made = loop.draw(k, "x"), G(loop.draw(k, "z"))
        fake, mix = made.detach(), loop.draw(k, point)
        loop.learn("C", "C", C(fake).mean() - C(x).mean() + 10 * penalty(C, [x], [fake], mix))
    loop.learn("G", "G", -C(made).mean())


def izi_f(loop: Loop) -> None:
    C, G, E = (loop.nets[name] for name in "CGE")
    x = loop.draw(0, "x")
    back = G(E(x))
    features = [C(image, outputs=("f",)) for image in (x, back)]
    loop.learn("E", "E", F.mse_loss(x, back) + F.mse_loss(*features))


@wide
def test_f_anogan() -> None:
    """A round of the GAN, then one of the encoder, with both frozen in evaluation mode."""
    spec = small("f-anogan", width=4, latent=5).with_steps(2)
    before: dict[str, dict[str, Tensor]] = {}

    def encoder(loop: Loop) -> None:
        for name in "CG":
            before[name] = {k: v.clone() for k, v in loop.nets[name].state_dict().items()}
        izi_f(loop)

    [point] = {name for _, name in Plan(spec).round(0, 0).draws if name.endswith(".mix")}
    # a penalty's square root is kept off zero, which costs the twelfth digit
    followed = agree(
        spec, [lambda loop: wgan_gp(loop, point), encoder], size=1, rate=1e-4, close=1e-8
    )
    for name, state in before.items():
        for key, value in followed.run.networks[name].state_dict().items():
            if "running" not in key and "num_batches" not in key:
                assert torch.allclose(value, state[key], atol=1e-8), (name, key)


# ------------------------------------------------------------ autoencoders as discriminators


def began(k: list[float], loop: Loop) -> None:
    G, D = loop.nets["G"], loop.nets["D"]
    x, z = loop.draw(0, "x"), loop.draw(0, "z")
    fake = G(z)
    real, made = (x - D(x)).abs().mean(), (fake - D(fake)).abs().mean()
    apart = (fake.detach() - D(fake.detach())).abs().mean()
    loop.learn_together([("D", "D", real - k[0] * apart), ("G", "G", made)])
    balance = 0.5 * real.item() - made.item()
    k[:] = [min(max(k[0] + 0.3 * balance, 0.0), 1.0), real.item() + abs(balance)]


@wide
def test_began() -> None:
    """k and the measure of convergence, too, over four rounds."""
    k = [0.0, 0.0]
    spec = small("began", width=4, latent=5, step=0.3)
    seen: list[float] = []

    def round(loop: Loop) -> None:
        began(k, loop)
        seen.append(k[0])

    followed = agree(spec, [round] * 4, size=0.8)
    assert followed.held("k").item() == pytest.approx(k[0], abs=1e-9)
    assert followed.held("convergence").item() == pytest.approx(k[1], rel=1e-9)
    assert followed.run.losses()["state.k"] == followed.held("k").item()
    assert len(set(seen)) > 1, "k did not move"


def vaegan(loop: Loop) -> None:
    Enc, Dec, Dis = (loop.nets[name] for name in ("Enc", "Dec", "Dis"))
    x, z, e = (loop.draw(0, name) for name in "xze")
    h = Enc(x)
    recon, fake = Dec(sample(h, e)), Dec(z)
    real, features = Dis(x, outputs=("", "l"))
    remade, others = Dis(recon, outputs=("", "l"))
    drawn = Dis(fake)
    gap = (features - others).square()
    likelihood = 8192 * gap.mean()
    prior = h.shape[1] // 2 * divergence(h)
    loop.learn_together(
        [
            ("Enc", "Enc", prior + likelihood),
            ("Dec", "Dec", 1e-6 * likelihood + true(drawn) + true(remade)),
            ("Dis", "Dis", true(real) + false(drawn) + false(remade)),
        ]
    )


@wide
def test_vae_gan() -> None:
    agree(small("vae-gan", width=4, hidden=16, latent=5), [vaegan] * 2, size=1, rate=1e-6)


# ------------------------------------------------------------------------------ spectral norm


def hinged(name: str) -> ByHand:
    """Miyato's, SAGAN's and BigGAN's loop; the last fakes that D saw are those that G steps on.

    The same passes in the same order, as each is a step of the power iterations.
    """

    def round(loop: Loop) -> None:
        D, G = loop.nets["D"], loop.nets["G"]

        def made(k: int) -> Tensor:
            z, y = loop.draw(k, "z"), loop.draw(k, "y")
            if name != "biggan":
                return G(z, y)
            shared = loop.nets["Y"](y)
            chunks = [torch.cat((z[:, row], shared), 1) for row in range(1, z.shape[1])]
            return G(z[:, :1], torch.stack(chunks, 1))

        times, fake = 5 if name == "sngan" else 1, torch.empty(0)
        for k in range(times):
            x, y = loop.draw(k, "x"), loop.draw(k, "y")
            fake = made(k)
            real, wrong = D(x, y), D(fake.detach(), y)
            loop.learn("D", "D", torch.relu(1 - real).mean() + torch.relu(1 + wrong).mean())
        loss = -D(fake, loop.draw(times - 1, "y")).mean()
        if name != "biggan":
            loop.learn("G", "G", loss)
            return
        alike = torch.zeros(())
        for weight in G.parameters():
            if weight.ndim > 1:
                products = weight.flatten(1) @ weight.flatten(1).T
                alike = alike + products.square().sum() - products.diagonal().square().sum()
        loop.learn("G", "G Y", loss + 1e-4 * alike)

    return round


@wide
@pytest.mark.parametrize("name", ["sngan", "sagan", "biggan"])
def test_spectral_norm(name: str) -> None:
    agree(small(name, **MODERN[name]), [hinged(name)] * 2)


@wide
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("sngan", "hinge(D(fake, y), -1)", "mean(D(fake, y))"),
        ("sagan", "hinge(D(x, y), 1)", "hinge(D(x, roll(y)), 1)"),
        ("biggan", "rows(Y(y), 2)", "rows(Y(roll(y)), 2)"),
        ("biggan", "part(z, 1, 3)", "part(z, 0, 2)"),
        ("biggan", "0.0001 * orthogonal(G)", "0 * orthogonal(G)"),
    ],
)
def test_a_mistake_with_spectral_norm_would_be_seen(name: str, right: str, wrong: str) -> None:
    """No margin, labels of other images, the embedding of another class, a chunk twice."""
    with pytest.raises(AssertionError):
        agree(changed(small(name, **MODERN[name]), right, wrong), [hinged(name)])
