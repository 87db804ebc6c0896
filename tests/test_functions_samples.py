"""Pairs, choices and masks of samples: against loops, alone and in whole rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.errors import SpecError
from ganzoo.hub import from_pretrained
from ganzoo.nn.functions import samples
from ganzoo.spec import Spec, files
from ganzoo.spec.latex import expression_latex
from ganzoo.testing import noise
from tests.builders import training
from tests.by_hand import ByHand, agree, only
from tests.reference import Loop

SPECS = Path(__file__).parent / "specs"


@pytest.fixture
def float32(float64: None) -> None:
    """For dry runs, whose images are of float32."""
    torch.set_default_dtype(torch.float32)


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# ---------------------------------------------------------------------- against a loop


def test_squared_distances_are_of_all_pairs() -> None:
    a, b = torch.randn(3, 2, 4) + 50, torch.randn(5, 2, 4) + 50
    wanted = torch.tensor([[((x - y) ** 2).sum() for y in b] for x in a])
    assert torch.allclose(samples.squared_distances(a, b), wanted, atol=1e-10)
    with pytest.raises(ValueError, match="samples differ in shape"):
        samples.squared_distances(a, b[:, :1])


def test_squared_distances_have_the_derivatives_of_a_loop() -> None:
    a, b = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4, requires_grad=True)
    slopes = torch.autograd.grad(samples.squared_distances(a, b).exp().neg().sum(), (a, b))
    loop = sum(-((x - y) ** 2).sum().exp() for x in a for y in b)
    for ours, theirs in zip(slopes, torch.autograd.grad(loop, (a, b)), strict=True):  # type: ignore[arg-type]
        assert torch.allclose(ours, theirs, rtol=1e-9)
    # a sample is at no distance from itself, and no rounding makes that negative
    far = (1e4 * torch.randn(6, 300)).float()
    assert samples.squared_distances(far, far).min() >= 0


def test_labels_are_the_same_in_all_pairs() -> None:
    a, b = torch.tensor([0, 1, 2]), torch.tensor([2, 2, 0, 5])
    assert samples.same_class(a, b).tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
    with pytest.raises(ValueError, match="takes labels"):
        samples.same_class(a, b.double())


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 2, 2)])
def test_what_a_label_selects(shape: tuple[int, ...]) -> None:
    values, label = torch.randn(shape), torch.tensor([2, 0, 1, 2])
    wanted = torch.stack([v[y] for v, y in zip(values, label, strict=True)])
    assert torch.equal(samples.select(values, label), wanted)
    several = tuple(values.unbind(1))
    assert torch.equal(samples.select(several, label), wanted)


def test_numbers_are_selected_for_each_sample() -> None:
    label = torch.tensor([1, 0, 1])
    assert samples.select((0.5, torch.tensor(2.0)), label).tolist() == [2, 0.5, 2]
    with pytest.raises(ValueError, match=r"one shape, not \(3, 2\) and \(3,\)"):
        samples.select((0.5, torch.zeros(3, 2)), label)
    with pytest.raises(ValueError, match="takes labels"):
        samples.select(torch.zeros(3, 2), torch.zeros(3))


def test_a_number_of_each_sample_is_expanded() -> None:
    numbers, images = torch.tensor([1.0, 2.0]), torch.zeros(2, 3, 4, 4)
    for given in (numbers, numbers[:, None]):
        assert torch.equal(samples.expand(given, images)[1], torch.full((3, 4, 4), 2.0))
    for wrong in (torch.zeros(2, 3), torch.zeros(3), torch.zeros(())):
        with pytest.raises(ValueError, match="one number per sample"):
            samples.expand(wrong, images)


def test_logsumexp_is_over_channels_and_does_not_overflow() -> None:
    logits = torch.randn(2, 3, 4)
    assert torch.allclose(samples.logsumexp(logits), logits.exp().sum(1).log())
    assert samples.logsumexp(torch.tensor([[1000.0, 1000.0]])).item() == pytest.approx(1000.6931)


def test_argmax_is_a_label_without_a_gradient() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 1.0]], requires_grad=True)
    assert samples.argmax(logits).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"\(batch, classes\)"):
        samples.argmax(torch.zeros(2, 3, 4))


def test_a_label_of_all_samples() -> None:
    assert samples.class_label(2.0, torch.zeros(3, 4)).tolist() == [2, 2, 2]
    for number in (0.5, -1.0, torch.zeros(())):
        with pytest.raises(ValueError, match="the number of a class"):
            samples.class_label(number, torch.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="values of samples"):
        samples.class_label(1.0, torch.zeros(()))


def test_maps_turn_as_often_as_told() -> None:
    maps = torch.arange(4.0).view(1, 1, 2, 2).expand(4, 2, 2, 2)
    found = samples.rotate(maps, torch.arange(4))[:, 1]
    assert found.tolist() == [
        [[0, 1], [2, 3]],
        [[1, 3], [0, 2]],
        [[3, 2], [1, 0]],
        [[2, 0], [3, 1]],
    ]
    with pytest.raises(ValueError, match="square maps"):
        samples.rotate(torch.zeros(4, 1, 2, 3), torch.arange(4))


def test_a_square_is_cut_out_where_the_noise_says() -> None:
    maps = torch.randn(5, 2, 6, 8)
    places = torch.tensor([[0.0, 0.0], [0.999, 0.999], [0.5, 0.0], [0.26, 0.4], [0.0, 0.99]])
    found = samples.crop(maps, places, 3)
    for sample, (top, left) in enumerate([(0, 0), (3, 5), (2, 0), (1, 2), (0, 5)]):
        assert torch.equal(found[sample], maps[sample, :, top : top + 3, left : left + 3])
    assert torch.equal(samples.crop(maps[:, :, :, :6], places, 6), maps[:, :, :, :6])
    with pytest.raises(ValueError, match="a square of 7 pixels does not fit"):
        samples.crop(maps, places, 7)
    with pytest.raises(ValueError, match=r"noise \(batch, 2\)"):
        samples.crop(maps, places[:, :1], 3)


def test_a_mask_is_the_box_of_cutmix() -> None:
    a, b, box = torch.randn(6, 2, 8, 8), torch.randn(6, 2, 8, 8), torch.rand(6, 3)
    mask = samples.box_mask(box, a)
    assert mask.shape == a.shape and set(mask.unique().tolist()) == {0, 1}
    assert torch.equal(samples.cutmix(a, b, box), torch.where(mask > 0, b, a))
    # a quarter of the area in the centre
    whole = samples.box_mask(torch.tensor([[0.25, 0.5, 0.5]]), a[:1, :1])[0, 0]
    assert whole.sum() == 16 and whole[2:6, 2:6].all()


# ------------------------------------------------------------------ whole rounds, by hand


def mmd_gan(loop: Loop) -> None:
    nets = loop.nets

    def distance(x: Tensor, fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f, g = nets["E"](x), nets["E"](fake)

        def kernel(a: Tensor, b: Tensor) -> Tensor:
            squares = torch.stack([torch.stack([(u - v).square().sum() for v in b]) for u in a])
            return ((-squares / 2).exp() + (-squares / 32).exp()).mean()

        return kernel(f, f) + kernel(g, g) - 2 * kernel(f, g), f, g

    for version in range(5):
        x, z = loop.draw(version, "x"), loop.draw(version, "z")
        fake = nets["G"](z).detach()
        mmd, f, g = distance(x, fake)
        back = (nets["R"](f) - x).square().mean() + (nets["R"](g) - fake).square().mean()
        loop.learn("E_R", "E R", -mmd + 8 * back)
    mmd, _, _ = distance(loop.draw(4, "x"), nets["G"](loop.draw(4, "z")))
    loop.learn("G", "G", mmd)


def reacgan(loop: Loop) -> None:
    x, y, z = (loop.draw(0, name) for name in "xyz")
    nets = loop.nets

    def classes(h: Tensor) -> Tensor:
        proxies, losses = nets["P"](y), list[Tensor]()
        for i in range(len(h)):
            own = (F.cosine_similarity(h[i], proxies[i], 0) - 0.98).clamp_max(0) / 0.5
            others = [
                ((F.cosine_similarity(h[i], h[j], 0) - 0.02).clamp_min(0) / 0.5).exp()
                for j in range(len(h)) if y[j] != y[i]
            ]  # fmt: skip
            losses.append(-(own.exp() / (own.exp() + sum(others))).log())  # type: ignore[arg-type]
        return torch.stack(losses).mean()

    fake = nets["G"](z, y).detach()
    real, h = nets["D"](x, outputs=("", "f"))
    loss = F.relu(1 - real).mean() + F.relu(1 + nets["D"](fake)).mean()
    loop.learn("D_P", "D P", loss + 0.5 * classes(h))
    made, g = nets["D"](nets["G"](z, y), outputs=("", "f"))
    loop.learn("G", "G", -made.mean() + 0.5 * classes(g))


def stargan_v2(loop: Loop, progress: float) -> None:
    x, y, t, z, v = (loop.draw(0, name) for name in "xytzv")
    nets = loop.nets
    own = torch.arange(len(x))

    def style(code: Tensor) -> Tensor:
        return nets["F"](code)[own, t]

    fake = nets["G"](x, style(z)).detach()
    seen = x.clone().requires_grad_()
    real = nets["D"](seen)[own, y]
    slopes = torch.autograd.grad(real.sum(), seen, create_graph=True)[0]
    r1 = 0.5 * slopes.flatten(1).square().sum(1).mean()
    made = nets["D"](fake)[own, t]
    loop.learn("D", "D", F.softplus(-real).mean() + F.softplus(made).mean() + r1)
    s = style(z)
    fake = nets["G"](x, s)
    loss = F.softplus(-nets["D"](fake)[own, t]).mean()
    loss = loss + (nets["E"](fake)[own, t] - s).abs().mean()
    loss = loss - (1 - progress) * (fake - nets["G"](x, style(v)).detach()).abs().mean()
    loss = loss + (nets["G"](fake, nets["E"](x)[own, y]) - x).abs().mean()
    loop.learn("G", "F E G", loss)


def mgan(loop: Loop) -> None:
    x, z, k = (loop.draw(0, name) for name in "xzk")
    nets = loop.nets

    def fake() -> Tensor:
        made = torch.stack([nets[name](z) for name in ("G1", "G2", "G3")])
        return nets["G"](torch.stack([made[which, row] for row, which in enumerate(k)]))

    real, made = nets["D"](nets["F"](x)), nets["D"](nets["F"](fake().detach()))
    loop.learn("D", "D F", F.softplus(-real).mean() + F.softplus(made).mean())
    loop.learn("C", "C F", F.cross_entropy(nets["C"](nets["F"](fake().detach())), k))
    features = nets["F"](fake())
    told = F.cross_entropy(nets["C"](features), k)
    loop.learn("G", "G G1 G2 G3", F.softplus(-nets["D"](features)).mean() + 0.5 * told)


def logan(loop: Loop) -> None:
    x, z = loop.draw(0, "x"), loop.draw(0, "z")
    nets = loop.nets

    def better() -> Tensor:
        at = z.clone().requires_grad_()
        [slope] = torch.autograd.grad(nets["D"](nets["G"](at)).sum(), at, create_graph=True)
        steps = [0.9 * one / (5 + one.square().sum()) for one in slope]
        return (z + torch.stack(steps)).clamp(-1, 1)

    made = nets["D"](nets["G"](better()))
    loop.learn("D", "D", F.relu(1 - nets["D"](x)).mean() + F.relu(1 + made).mean())
    moved = better()
    step = (moved - z).square().sum(1).mean()
    loop.learn("G", "G", -nets["D"](nets["G"](moved)).mean() + 300 * step)


def triple_gan(loop: Loop) -> None:
    x, y, u, v, z = (loop.draw(0, name) for name in "xyuvz")
    nets = loop.nets
    fake = nets["G"](z, v).detach()
    said = nets["C"](u).argmax(1)
    d = nets["D"]
    loss = F.softplus(-d(x, y)).mean() + 0.5 * F.softplus(d(u, said)).mean()
    loop.learn("D", "D", loss + 0.5 * F.softplus(d(fake, v)).mean())
    logits = nets["C"](u)
    sure = torch.stack([row.softmax(0)[row.argmax()] for row in logits])[:, None]
    loss = F.cross_entropy(nets["C"](x), y) + 0.03 * F.cross_entropy(nets["C"](fake), v)
    loss = loss - 0.5 * (sure * F.softplus(d(u, logits.argmax(1)))).mean()
    loop.learn("C", "C", loss)
    loop.learn("G", "G", 0.5 * F.softplus(-d(nets["G"](z, v), v)).mean())


def semi_supervised(loop: Loop) -> None:
    x, y, u, z = (loop.draw(0, name) for name in "xyuz")
    nets = loop.nets

    def real(images: Tensor) -> Tensor:
        return nets["D"](images).exp().sum(1).log()

    fake = nets["G"](z)
    loss = F.cross_entropy(nets["D"](x), y)
    loss = loss + F.softplus(-real(u)).mean() + F.softplus(real(fake.detach())).mean()
    loop.learn("D", "D", loss)

    f, g = (nets["D"](images, outputs=("f",)) for images in (u, nets["G"](z)))
    loop.learn("G", "G", (f.mean(0) - g.mean(0)).square().mean())


def ss_gan(loop: Loop) -> None:
    x, z, r = (loop.draw(0, name) for name in "xzr")
    nets = loop.nets

    def turned(images: Tensor) -> Tensor:
        return torch.stack(
            [image.rot90(k, (1, 2)) for image, k in zip(images, r.tolist(), strict=True)]
        )

    fake = nets["G"](z).detach()
    loss = F.relu(1 - nets["D"](x)).mean() + F.relu(1 + nets["D"](fake)).mean()
    told = nets["D"](turned(x), outputs=("turned",))
    loop.learn("D", "D", loss + F.cross_entropy(told, r))
    fake = nets["G"](z)
    told = nets["D"](turned(fake), outputs=("turned",))
    loop.learn("G", "G", -nets["D"](fake).mean() + 0.2 * F.cross_entropy(told, r))


def context_encoder(loop: Loop) -> None:
    x, u = loop.draw(0, "x"), loop.draw(0, "u")
    nets = loop.nets
    mask = torch.zeros_like(x)
    for image, (area, down, right) in enumerate(u.tolist()):
        for row in range(16):
            for column in range(16):
                off = max(abs((row + 0.5) / 16 - down), abs((column + 0.5) / 16 - right))
                mask[image, :, row, column] = off < area**0.5 / 2

    def filled() -> tuple[Tensor, Tensor]:
        made = nets["G"](x * (1 - mask), mask)
        return made, x * (1 - mask) + made * mask

    fake = filled()[1].detach()
    loop.learn("D", "D", F.softplus(-nets["D"](x)).mean() + F.softplus(nets["D"](fake)).mean())
    made, fake = filled()
    loss = 0.999 * (mask * (made - x)).square().mean()
    loop.learn("G", "G", loss + 0.001 * F.softplus(-nets["D"](fake)).mean())


def ddgan(loop: Loop) -> None:
    x, t, z, e, f, p = (loop.draw(0, name) for name in "xtzefp")
    g, d = loop.nets["G"], loop.nets["D"]
    kept, keeps = (
        torch.tensor(shares)[t].view(-1, 1, 1, 1)
        for shares in ([1, 0.61, 0.1342, 0.0094], [0.61, 0.22, 0.07, 0.04])
    )
    before = kept.sqrt() * x + (1 - kept).sqrt() * e
    after = keeps.sqrt() * before + (1 - keeps).sqrt() * f

    def fake() -> Tensor:
        lost = 1 - kept * keeps
        mean = kept.sqrt() * (1 - keeps) * g(after, z, t) + keeps.sqrt() * (1 - kept) * after
        return mean / lost + ((1 - keeps) * (1 - kept) / lost).sqrt() * p

    at = before.clone().requires_grad_()
    real = d(at, after, t)
    [slope] = torch.autograd.grad(real.sum(), at, create_graph=True)
    loss = F.softplus(-real).mean() + F.softplus(d(fake().detach(), after, t)).mean()
    loop.learn("D", "D", loss + 0.01 * slope.flatten(1).square().sum(1).mean())
    loop.learn("G", "G", F.softplus(-d(fake(), after, t)).mean())


LOOPS: dict[str, list[ByHand]] = {
    "mmd-gan": [mmd_gan] * 2,
    "reacgan": [reacgan] * 2,
    "stargan-v2": [lambda loop: stargan_v2(loop, 0.0), lambda loop: stargan_v2(loop, 0.5)],
    "mgan": [mgan] * 2,
    "logan": [logan] * 2,
    "triple-gan": [triple_gan] * 2,
    "semi-supervised": [semi_supervised] * 2,
    "ss-gan": [ss_gan] * 2,
    "context-encoder": [context_encoder] * 2,
    "ddgan": [ddgan] * 2,
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_paper_by_hand(name: str) -> None:
    """Every gradient of two rounds equals that of a loop that knows no word of the language."""
    spec = files.read(SPECS / f"{name}.yaml").with_steps(len(LOOPS[name]))
    assert Spec.from_json(spec.to_json()) == spec
    rate = 1e-5 if name == "mmd-gan" else 0.02  # its steps diverge where no clipping follows
    agree(spec, LOOPS[name], source=only(spec, noise(16, 1, classes=3)), rate=rate)


def test_a_model_whose_task_selects_is_saved_and_loaded(tmp_path: Path) -> None:
    """Shapes come in closed form there, and labels that one network gives go to another."""
    torch.set_default_dtype(torch.float32)
    spec = files.read(SPECS / "triple-gan.yaml").to_dict()
    output = "G(expand(select(C(x), argmax(C(x))), z) * z, argmax(C(x)))"
    spec["tasks"] = {"again": {"kind": "reconstruct", "output": output}}
    spec["ema"] = {}
    made = Spec.from_dict(spec)
    model = training(made, source=only(made, noise(16, 1, classes=3))).model(batches=1)
    model.save_pretrained(tmp_path / "model")
    images = torch.rand(3, 1, 16, 16)
    again = from_pretrained(tmp_path / "model")
    assert torch.equal(
        model.reconstruct(images, output="pt"), again.reconstruct(images, output="pt")
    )


# ---------------------------------------------------------------------------- mistakes


def wrong(change: dict[str, str], match: str, name: str = "triple-gan") -> None:
    spec = files.read(SPECS / f"{name}.yaml").to_dict()
    spec["let"] |= change
    with pytest.raises(SpecError, match=match):
        made = Spec.from_dict(spec)
        training(made, source=only(made, noise(16, 1, classes=3)))


@pytest.mark.usefixtures("float32")
def test_labels_that_select_more_than_there_is() -> None:
    wrong({"sure": "select(part(C(u), 0, 2), said)"}, "labels are of 3 classes, more than 2")
    wrong({"sure": "select((1, 2), said)"}, "labels are of 3 classes, more than 2")
    wrong({"fake": "G(z, class_label(3, z))"}, "labels of 4 classes arrive, and it has 3")
    wrong({"fake": "rotate(G(z, v), said)", "sure": "select(C(u), u)"}, "takes labels")


def test_choices_are_written_in_mathematics() -> None:
    spec = files.read(SPECS / "stargan-v2.yaml")
    assert expression_latex(spec, "select(D(x), y)") == r"\left[D(x)\right]_{y}"
    spec = files.read(SPECS / "mgan.yaml")
    shown = expression_latex(spec, "select((G1(z), G2(z), G3(z)), k)")
    assert shown.startswith(r"\left[\left(\mathrm{G1}(z), ")
