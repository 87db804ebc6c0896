"""Losses as data: every loss on every variant with one generator and one discriminator."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo import Function, Loss, Spec
from ganzoo.engine.explain import explain
from ganzoo.engine.plan import Plan
from ganzoo.errors import SpecError, UnknownNameError
from ganzoo.models.config import ModelConfig
from ganzoo.models.model import Model
from ganzoo.nn.build import build
from ganzoo.plugins.host import Host, default
from ganzoo.plugins.named import composed, named
from ganzoo.publish.card import card
from ganzoo.spec import (
    Adam,
    BatchNorm,
    Flatten,
    Linear,
    MinibatchStd,
    Network,
    Residual,
    RMSprop,
    vocabulary,
)
from ganzoo.spec.losses.loss import LOSSES
from tests.plugin_parts import plugin
from tests.reference import Loop, penalty
from tests.rounds import compare_round
from tests.shipped import data, small
from tests.two_networks import PAIRS, linear, minimized, update

each_pair = pytest.mark.parametrize("variant", PAIRS)
each_loss = pytest.mark.parametrize("loss", LOSSES)


def tiny(variant: str) -> Spec:
    """A small Spec of the variant, without dropout, so that order of passes does not matter."""
    return small(variant, **({"dropout": 0.0} if variant in {"gan", "cgan"} else {}))


# ------------------------------------------------------------------------------ gradients


def log_sigmoid(v: Tensor) -> Tensor:
    return -torch.log1p(torch.exp(-v))


SIZES = {"gan": 2, "cgan": 2, "dcgan": 1, "cdcgan": 6}
"""Of weights, such that no slope is far from 1: five steps down a steep penalty go anywhere."""

Verdict = Callable[[Tensor, Tensor], Tensor]

BY_HAND: dict[str, tuple[Verdict, Verdict]] = {
    "nonsaturating": (
        lambda r, f: -log_sigmoid(r).mean() - log_sigmoid(-f).mean(),
        lambda r, f: -log_sigmoid(f).mean(),
    ),
    "minimax": (
        lambda r, f: -torch.log(torch.sigmoid(r)).mean() - torch.log(1 - torch.sigmoid(f)).mean(),
        lambda r, f: torch.log(1 - torch.sigmoid(f)).mean(),
    ),
    "lsgan": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((f - 1) ** 2).mean() / 2,
    ),
    "hinge": (
        lambda r, f: torch.clamp(1 - r, min=0).mean() + torch.clamp(1 + f, min=0).mean(),
        lambda r, f: -f.mean(),
    ),
    "wgan": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "wgan-gp": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "rpgan": (
        lambda r, f: -log_sigmoid(r - f).mean(),
        lambda r, f: -log_sigmoid(f - r).mean(),
    ),
}
"""What the papers have both players minimize, of the scores of data and of fakes."""


def steepness(critic: Callable[..., Tensor], at: Tensor, given: tuple[Tensor, ...]) -> Tensor:
    """The mean squared slope, image by image, each on its own."""
    found: list[Tensor] = []
    for index, image in enumerate(at.detach()):
        point = image[None].clone().requires_grad_()
        score = critic(point, *(value[index : index + 1] for value in given))
        [slope] = torch.autograd.grad(score.sum(), point, create_graph=True)
        found.append((slope**2).sum())
    return torch.stack(found).mean()


def by_hand(loss: str, conditional: bool, gamma: float = 1.0) -> Callable[[Loop], None]:
    """One round as a person writes it, from the paper of the loss."""
    judging, fooling = BY_HAND[loss]

    def round(loop: Loop) -> None:
        C, G = ("C" if "C" in loop.nets else "D"), loop.nets["G"]
        steps = 5 if loss.startswith("wgan") else 1
        for k in range(steps):
            x, z = loop.draw(k, "x"), loop.draw(k, "z")
            y = (loop.draw(k, "y"),) if conditional else ()

            def discriminator(image: Tensor, y: tuple[Tensor, ...] = y) -> Tensor:
                return loop.nets[C](image, *y)

            fake = G(z, *y).detach()
            total = judging(discriminator(x), discriminator(fake))
            if loss == "wgan-gp":
                total = total + 10 * penalty(discriminator, [x], [fake], loop.draw(k, "mix"))  # type: ignore[arg-type]
            if loss == "rpgan":
                total = total + gamma / 2 * (
                    steepness(loop.nets[C], x, y) + steepness(loop.nets[C], fake, y)
                )
            loop.learn(C, C, total, clip=0.01 if loss == "wgan" else None)
        loop.learn("G", "G", fooling(discriminator(x), discriminator(G(z, *y))))

    return round


@pytest.mark.usefixtures("float64")
@each_loss
@each_pair
def test_gradients_of_a_round_are_those_of_the_papers_loop(variant: str, loss: str) -> None:
    spec = ganzoo.with_loss(tiny(variant), loss)
    # where slopes are small, the number that keeps the root of a penalty off zero weighs more
    size, close = SIZES.get(variant, 3), 1e-8 if loss == "wgan-gp" else 1e-9
    compare_round(by_hand(loss, variant.startswith("c")), spec, 0, 0, size, close)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("loss, mistake", [
    ("hinge", ("hinge(D(fake), -1)", "hinge(D(fake), 1)")),
    ("lsgan", ("0.5 * mse(D(x), 1)", "mse(D(x), 1)")),
    ("rpgan", ("0.5 * r1(D, fake)", "0.5 * r1(D, x)")),
    ("rpgan", ("D(fake) - D(x)", "D(x) - D(fake)")),
    ("wgan-gp", ("10 * gradient", "1 * gradient")),
])  # fmt: skip
def test_the_comparison_sees_a_mistake(loss: str, mistake: tuple[str, str]) -> None:
    text = json.dumps(ganzoo.with_loss(tiny("dcgan"), loss).to_dict())
    assert mistake[0] in text
    with pytest.raises(AssertionError):
        compare_round(by_hand(loss, False), Spec.from_json(text.replace(*mistake)), 0, 0, 1, 1e-8)


@pytest.mark.usefixtures("float64")
def test_numbers_of_a_loss_reach_the_gradients() -> None:
    spec = ganzoo.with_loss(tiny("cdcgan"), "rpgan,gamma=7")
    compare_round(by_hand("rpgan", True, gamma=7), spec, 0, 0)
    with pytest.raises(AssertionError):
        compare_round(by_hand("rpgan", True), spec, 0, 0)


# ----------------------------------------------------------------------- what comes of it


@each_loss
@each_pair
def test_any_loss_goes_with_any_pair(variant: str, loss: str) -> None:
    before = tiny(variant)
    spec = ganzoo.with_loss(before, loss)
    assert Spec.from_json(spec.to_json()) == spec
    assert (spec.tasks, spec.ema, spec.steps, spec.batch, spec.let) == (
        before.tasks, before.ema, before.steps, before.batch, before.let,
    )  # fmt: skip
    assert spec.networks["G"] == before.networks["G"]
    for name in spec.networks:
        assert update(spec, name).optimizer.lr == update(before, name).optimizer.lr
    [explained] = explain(spec)  # a dry run: every shape fits
    assert explained.flops > 0
    for step in ganzoo.train(spec, data(), steps=2, batch=4, precision="fp32"):
        losses = step.losses()
    assert all(map(math.isfinite, losses.values()))
    discriminator = "C" if "C" in spec.networks else "D"
    terms = [f"{discriminator}.{term}" for term in LOSSES[loss].discriminator]
    assert [*losses] == terms + [f"G.{term}" for term in LOSSES[loss].generator]


def test_a_loss_of_its_own_changes_nothing_but_the_title() -> None:
    for variant, loss in (("dcgan", "nonsaturating"), ("wgan", "wgan"), ("wgan-gp", "wgan-gp")):
        before = tiny(variant)
        spec, changes = LOSSES[loss].applied(before)
        assert changes == () and spec.title == f"{before.title} with {loss} loss"
        same = spec.model_copy(update={"title": before.title, "source": before.source})
        assert same == before


def test_hinge_on_a_dcgan() -> None:
    spec, changes = LOSSES["hinge"].applied(tiny("dcgan"))
    assert minimized(spec) == {
        "D": {"real": "hinge(D(x), 1)", "fake": "hinge(D(fake), -1)"},
        "G": {"fool": "-mean(D(fake))"},
    }
    assert spec.networks == tiny("dcgan").networks
    assert update(spec, "D").optimizer == update(tiny("dcgan"), "D").optimizer
    assert spec.source == "arXiv:1511.06434; arXiv:1705.02894"
    assert changes == (
        "D minimizes real: hinge(D(x), 1), fake: hinge(D(fake), -1) "
        "(before: real: bce(D(x), 1), fake: bce(D(fake), 0))",
        "G minimizes fool: -mean(D(fake)) (before: fool: bce(D(fake), 1))",
    )


def test_a_penalty_makes_batch_norm_of_the_discriminator_layer_norm_and_says_so() -> None:
    before = tiny("cdcgan")
    norms = [path for path, layer in before.networks["D"].walk() if layer.kind == "batch_norm"]
    assert len(norms) == 2
    for loss, function in (("wgan-gp", "gradient_penalty"), ("rpgan", "r1")):
        spec, changes = LOSSES[loss].applied(before)
        kinds = {path: layer.kind for path, layer in spec.networks["D"].walk()}
        assert "batch_norm" not in kinds.values()
        assert [path for path, kind in kinds.items() if kind == "layer_norm"] == norms
        assert spec.networks["G"] == before.networks["G"]
        [said] = [change for change in changes if "layer norm" in change]
        assert said == (
            f"D has layer norm in place of batch norm ({', '.join(norms)}), since {function} "
            "needs samples that do not mix"
        )
    for loss in ("hinge", "wgan"):  # whose authors keep it
        assert ganzoo.with_loss(before, loss).networks == before.networks


def test_layers_that_mix_make_way_at_any_depth() -> None:
    inner = Residual((BatchNorm(eps=1e-3), MinibatchStd()), (BatchNorm(),))
    discriminator = Network({"x": (MinibatchStd(), Flatten(), BatchNorm())}, (inner, Linear(1)))
    spec, changes = LOSSES["wgan-gp"].applied(linear(discriminator=discriminator))
    kinds = [(path, layer.kind) for path, layer in spec.networks["D"].walk()]
    assert kinds == [
        ("inputs.x.0", "flatten"), ("inputs.x.1", "layer_norm"), ("layers.0", "residual"),
        ("layers.0.layers.0", "layer_norm"), ("layers.0.shortcut.0", "layer_norm"),
        ("layers.1", "linear"),
    ]  # fmt: skip
    assert spec.networks["D"].layers[0].layers[0].eps == 1e-3  # type: ignore[attr-defined]
    assert any("nothing in place of minibatch std (inputs.x.0, layers.0.layers.1)" in change
               for change in changes)  # fmt: skip


def test_minibatch_deviation_stays_where_a_penalty_allows_it() -> None:
    """R1 and R2 do, as in StyleGAN2; they refuse batch norm."""
    discriminator = Network({"x": (MinibatchStd(), Flatten(), BatchNorm())}, (Linear(1),))
    spec, changes = LOSSES["rpgan"].applied(linear(discriminator=discriminator))
    kinds = [layer.kind for _, layer in spec.networks["D"].walk()]
    assert kinds == ["minibatch_std", "flatten", "layer_norm", "linear"]
    assert not any("minibatch" in change for change in changes)


def test_from_clipping_to_a_penalty_and_back() -> None:
    spec, changes = LOSSES["wgan-gp"].applied(tiny("wgan"))
    critic = update(spec, "C")
    assert critic.clip_weights is None and critic.repeat == 5
    assert critic.minimize == update(tiny("wgan-gp"), "C").minimize
    assert critic.optimizer == Adam(lr=5e-5, betas=(0.5, 0.9))
    assert "weights of C are not clipped (before: clipped to 0.01)" in changes
    assert (
        "C learns by adam with betas (0.5, 0.9) (before: rmsprop with alpha 0.99); "
        "its rate of 5e-05 stays" in changes
    )
    back = ganzoo.with_loss(spec, "wgan")
    assert (spec.title, back.title) == ("WGAN with wgan-gp loss", "WGAN with wgan loss")
    assert update(back, "C") == update(tiny("wgan"), "C")
    assert isinstance(update(back, "G").optimizer, RMSprop)


def test_what_only_a_distance_is_called_and_needs_goes_with_it() -> None:
    """Metrics take a first term `critic` for a distance; five steps and clipping are for it."""
    for variant in ("wgan", "wgan-gp"):
        spec = ganzoo.with_loss(tiny(variant), "lsgan")
        assert "critic" not in {*update(spec, "C").minimize, *update(spec, "G").minimize}
        assert update(spec, "C").repeat == 1 and update(spec, "C").clip_weights is None
    for loss in ("wgan", "wgan-gp"):
        assert next(iter(minimized(ganzoo.with_loss(tiny("dcgan"), loss))["D"])) == "critic"


def test_weight_decay_and_falling_rates_stay() -> None:
    before = tiny("wgan-gp")
    spec = ganzoo.with_loss(before, "wgan")
    assert update(spec, "G").optimizer.decay == update(before, "G").optimizer.decay is not None
    spec, changes = LOSSES["wgan"].applied(tiny("cgan"))
    [said] = [change for change in changes if change.startswith("D learns")]
    assert "before: adam with betas (0.5, 0.999), weight decay 2.5e-05" in said  # and rmsprop none
    decayed = update(ganzoo.with_loss(tiny("cgan"), "rpgan"), "D").optimizer
    assert decayed == Adam(lr=2e-4, betas=(0.0, 0.99), weight_decay=2.5e-5)


@pytest.mark.parametrize("loss, passes, penalties", [
    ("hinge", 3, 0), ("rpgan", 6, 2), ("wgan-gp", 16, 5),
])  # fmt: skip
def test_explain_counts_the_passes_of_penalties(loss: str, passes: int, penalties: int) -> None:
    """The generator of rpgan asks the discriminator of data, too, since pairs are judged."""
    found = Plan(ganzoo.with_loss(tiny("cdcgan"), loss)).round(0, 0).passes()
    assert (found["D"].total, found["D"].penalty) == (passes, penalties)


def test_a_small_dcgan_learns_digits_by_hinge() -> None:
    source = ganzoo.load_data("digits")
    variant = default().variant("dcgan").parse({"width": 8, "batch": 32, "lr": 1e-3})
    spec = ganzoo.with_loss(variant.spec(source.fields), "hinge")
    course = [step.losses() for step in ganzoo.train(spec, source, steps=60, precision="fp32")]
    assert all(math.isfinite(value) for losses in course for value in losses.values())
    # two before anything is known, and less once digits are told from noise
    judged = [losses["D.real"] + losses["D.fake"] for losses in course]
    assert judged[0] == pytest.approx(2, abs=0.3) and sum(judged[-20:]) / 20 < 1.5


# ---------------------------------------------------------------------------- losses as data


@each_loss
def test_a_loss_is_data(loss: str) -> None:
    declared = LOSSES[loss]
    assert Loss.from_dict(json.loads(json.dumps(declared.to_dict()))) == declared
    assert declared.summary and declared.source.startswith("arXiv:")
    with pytest.raises(Exception, match="frozen"):
        declared.repeat = 3  # type: ignore[misc]


GOOD: dict[str, Any] = {
    "name": "mine", "discriminator": {"d": "mean(D(fake)) - mean(D(x))"},
    "generator": {"g": "-mean(D(fake))"},
}  # fmt: skip


@pytest.mark.parametrize("key, value, message", [
    ("name", "My loss", "name: 'My loss' is not a name of a loss: a lowercase"),
    ("discriminator", {}, "discriminator: it has too few items"),
    ("discriminator", {"d": "mean(C(x))"}, "discriminator: no term uses 'D'"),
    ("discriminator", {"d": "mean(D(fkae))"}, "discriminator.d: no 'fkae' in a loss; did you mean "
     "'fake'? allowed: 'D', 'fake', 'x'"),
    ("discriminator", {"d": "mean(D(x, y))"}, "discriminator.d: D(x, y): in a loss, D takes one"),
    ("discriminator", {"d": "mean(D.features(x))"}, "in a loss, D takes one image and gives one"),
    ("discriminator", {"d": "mean(D(x)"}, "discriminator.d: 'mean(D(x)' is not an expression"),
    ("generator", {"g": "mean(D(x))"}, "generator: no term uses 'fake'"),
    ("generator", {"g": "gamma * mean(D(fake))"}, "generator.g: no 'gamma' in a loss"),
    ("numbers", {"x": 1}, "numbers.x: the words 'D', 'fake', 'x' have a meaning already"),
    ("betas", (0.5, 0.9), "betas: are Adam's; say optimizer: adam beside them"),
    ("optimizer", "adan", "optimizer: 'adan' is not allowed; did you mean 'adam'?"),
    ("repeats", 5, "unknown key 'repeats' in Loss; did you mean 'repeat'?"),
    ("clip_weights", 0, "clip_weights"),
])  # fmt: skip
def test_mistakes_in_a_loss(key: str, value: Any, message: str) -> None:
    assert Loss.from_dict(GOOD)
    with pytest.raises(SpecError) as caught:
        Loss.from_dict({**GOOD, key: value})
    assert message in str(caught.value)
    with pytest.raises(SpecError):
        Loss(**{**GOOD, key: value})


def test_a_function_that_there_is_not_is_said_where_it_stands() -> None:
    loss = Loss("mine", {"d": "maen(D(x)) - mean(D(fake))"}, GOOD["generator"])
    with pytest.raises(SpecError, match=r"d: no network or function 'maen'; did you mean 'mean'\?"
                       r".*\(with loss 'mine'\)"):  # fmt: skip
        loss.apply(linear())


def test_numbers_are_set_by_name() -> None:
    assert named("rpgan,gamma=2").numbers == {"gamma": 2.0}
    assert named("rpgan") == LOSSES["rpgan"]
    wgan = named("wgan,repeat=3,clip_weights=0.05")
    assert (wgan.repeat, wgan.clip_weights) == (3, 0.05)
    assert minimized(ganzoo.with_loss(linear(), "wgan-gp,penalty=-1"))["D"]["penalty"] == (
        "-1 * gradient_penalty(D, x, fake)"
    )
    for text, message in (
        ("rpgan,gama=2", "loss 'rpgan' has no 'gama'; did you mean 'gamma'? allowed: 'gamma', 're"),
        ("hinge,clip_weights=2", "loss 'hinge' has no 'clip_weights'"),
        ("rpgan,gamma", "write name=value after the comma"),
        ("rpgan,gamma=much", "numbers.gamma"),
        ("rpgan,gamma=nan", "numbers.gamma"),
        ("wgan,repeat=0", "repeat"),
    ):
        with pytest.raises(SpecError) as caught:
            named(text)
        assert message in str(caught.value)


def test_an_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no loss 'hnige'; did you mean 'hinge'"):
        ganzoo.with_loss(linear(), "hnige")


def test_a_loss_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: margin\ndiscriminator: {d: mean(relu(m - D(x))) + mean(relu(m + D(fake)))}\n"
        "generator: {g: -mean(D(fake))}\nnumbers: {m: 1}\n"
    )
    spec, facts = composed(linear(), f"{path},m=3")
    assert minimized(spec)["D"] == {"d": "mean(relu(3 - D(x))) + mean(relu(3 + D(fake)))"}
    assert facts["file"] == "mine.yaml" and facts["settings"] == {"m": 3.0, "repeat": 1}
    path.write_text("name: margin\n")
    with pytest.raises(SpecError, match="discriminator: this key is required"):
        named(str(path))


# ------------------------------------------------------------------------------- plugins


def lower(scores: Tensor, target: float) -> Tensor:
    """A loss of a plugin's own."""
    return (scores - target).abs().mean()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host with a plugin that brings a loss, and the function that it needs."""
    host = Host()
    flat = Function.of(lambda critic, inputs: critic(inputs).square().mean(), name="flat",
                       networks=("critic",), passes=1, refuses={"dropout": "it drops"})  # fmt: skip
    away = Loss(
        "away", {"real": "lower(D(x), far)", "fake": "lower(D(fake), -far)", "flat": "flat(D, x)"},
        {"fool": "lower(D(fake), far)"}, {"far": 2}, summary="Absolute distances.",
    )  # fmt: skip
    host.register(plugin("a_plugin", losses=[away], functions=[Function.of(lower), flat]))
    before = vocabulary.extend_with(lambda: host.vocabulary)
    monkeypatch.setattr("ganzoo.plugins.named.default", lambda: host)
    yield host
    vocabulary.extend_with(before)


def test_a_plugin_brings_a_loss(host: Host) -> None:
    assert host.plugins[0].brings["losses"] == ["away"]
    spec, facts = composed(tiny("dcgan"), "away,far=3")
    assert minimized(spec) == {
        "D": {"real": "lower(D(x), 3)", "fake": "lower(D(fake), -3)", "flat": "flat(D, x)"},
        "G": {"fool": "lower(D(fake), 3)"},
    }
    assert facts["plugin"] == "a_plugin"
    for step in ganzoo.train(spec, data(), steps=2, batch=4, precision="fp32"):
        assert all(map(math.isfinite, step.losses().values()))
    assert Plan(spec).round(0, 0).passes()["D"].penalty == 1


def test_a_function_without_conditions_is_refused_for_a_conditional_spec(host: Host) -> None:
    with pytest.raises(SpecError, match=r"flat\(D, x\) asks a discriminator that is shown a cond"):
        ganzoo.with_loss(tiny("cdcgan"), "away")


def test_a_layer_that_nothing_can_stand_for_is_refused_with_the_reason(host: Host) -> None:
    with pytest.raises(SpecError, match=r"flat refuses dropout .*: it drops \(with loss 'away'\)"):
        ganzoo.with_loss(small("gan"), "away")


# ------------------------------------------------------------------------------ model cards


def test_a_card_says_which_loss_and_what_it_changed() -> None:
    spec, facts = composed(tiny("dcgan"), "wgan-gp")
    config: dict[str, Any] = {"made_by": {"variant": "dcgan", "loss": facts}}
    model = Model(spec, build(spec, published=True), ModelConfig(spec=spec).replace(**config))
    text = card(model)
    link = "[arXiv:1704.00028](https://arxiv.org/abs/1704.00028)"
    assert (
        f"DCGAN with wgan-gp loss ([arXiv:1511.06434](https://arxiv.org/abs/1511.06434), {link})"
        in text
    )
    assert f"Its loss is `wgan-gp` ({link}), in place of its own:" in text
    assert "- D has layer norm in place of batch norm (layers.3)" in text
    assert all(f"- {change}" in text for change in facts["changes"])
    plain = ModelConfig(spec=spec).replace(made_by={"variant": "dcgan"})
    assert "in place of its own" not in card(Model(spec, model.networks, plain))
