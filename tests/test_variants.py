"""The mathematics of the variants that ship, each in small.

What the engine and the plan promise, `test_engine` and `test_plan` hold to the table; here
the same loops by hand, and the mistakes of public code, are held against what is shipped.
Most properties are checked twice: of the variant, and of a Spec into which the mistake was
put, where the check must fail.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import GanzooError, SpecError
from ganzoo.nn.build import build
from ganzoo.plugins.host import default
from ganzoo.spec import (
    BatchNorm,
    Conv,
    Deconv,
    Embedding,
    Fields,
    Flatten,
    Image,
    Inject,
    Label,
    Linear,
    Network,
    OneHot,
    RMSprop,
    Spec,
    Text,
    Together,
)
from ganzoo.testing import CHECKS, conforms
from tests.modern import MODERN, PRESETS
from tests.reference import ROUNDS, Loop, divergence, sample
from tests.rounds import compare_round, draws, networks, tame
from tests.shipped import (
    BATCH,
    CLASSES,
    SHIPPED,
    SMALL,
    changed,
    data,
    read,
    small,
    training,
    with_round,
)


def test_every_variant_that_ships_is_here() -> None:
    host = default()
    ours = {plugin.distribution for plugin in host.plugins if plugin.distribution in SHIPPED}
    assert ours == SHIPPED
    shipped = {v for v in host.variants if host.providers["variants", v] in SHIPPED}
    assert shipped == {*SMALL, *MODERN, *PRESETS}


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 17, 16), (3, 48, 64), (3, 512, 16)])
def test_images_of_a_size_that_a_variant_does_not_take_are_refused(
    shape: tuple[int, int, int],
) -> None:
    """In words about the images, and not as a mistake in the variant."""
    fields = {"image": Image(shape), "label": Label(CLASSES), "text": Text(7, "none")}
    fields |= {name: Image(shape, name, independent=True) for name in "ab"}
    host, refused = default(), dict[str, str]()
    for name in host.variants:
        if host.providers["variants", name] in SHIPPED:
            try:
                host.variant(name)().spec(Fields(fields=fields))
            except GanzooError as error:
                refused[name] = str(error)
    assert not [text for text in refused.values() if "has a mistake" in text]
    assert "stylegan2" in refused


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SMALL)
def test_every_variant_that_ships_conforms(name: str, check: str) -> None:
    """What strangers' plugins are held to (`ganzoo check-plugin`)."""
    conforms(name, check, **SMALL[name])


def watch(run: Training, look: Callable[[str, Callable[[], None]], None]) -> None:
    """Let `look(name, step)` stand around each step of each update; it calls `step()` itself."""
    apply = run._apply
    run._apply = lambda name: look(name, lambda: apply(name))  # type: ignore[method-assign]


# ------------------------------------------------------------------------------- gradients


def ganomaly(loop: Loop) -> None:
    """The table's loop, but both score what was made before either steps, as the authors do."""
    GE, GD, E, D = (loop.nets[name] for name in ("GE", "GD", "E", "D"))
    x = loop.draw(0, "x")
    code = GE(x)
    recon = GD(code)
    features = [D(image, outputs=("features",)) for image in (x, recon)]
    loss = F.mse_loss(*features) + 50 * F.l1_loss(recon, x) + F.mse_loss(E(recon), code)
    verdicts = [D(x), D(recon.detach())]
    judged = sum(
        F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, truth))
        for verdict, truth in zip(verdicts, (1.0, 0.0), strict=True)
    )
    loop.learn_together([("G", "GE GD E", loss), ("D", "D", judged)])  # type: ignore[list-item]


def stackgan(loop: Loop, large: bool) -> None:
    """A stage as the authors' code has it: the pairs, then whoever paints."""
    CA, G, CA2, G2 = (loop.nets[name] for name in ("CA", "G", "CA2", "G2"))
    x, t, z, e, e2 = (loop.draw(0, name) for name in ("x", "t", "z", "e", "e2"))
    name, painters = ("D2", "G2 CA2") if large else ("D", "G CA")
    discriminator, real = loop.nets[name], x if large else F.avg_pool2d(x, 2)

    def painted() -> tuple[Tensor, Tensor]:
        h, h2 = CA(t), CA2(t)
        sketch = G(z, sample(h, e))
        return (G2(sketch, sample(h2, e2)), h2) if large else (sketch, h)

    def verdict(image: Tensor, truth: float) -> Tensor:
        logits = discriminator(image, t)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))

    stranger = torch.cat([real[-1:], real[:-1]])
    fake = painted()[0].detach()
    loss = verdict(real, 1) + 0.5 * verdict(stranger, 0) + 0.5 * verdict(fake, 0)
    loop.learn(name, name, loss)
    fake, h = painted()
    loop.learn(painters.replace(" ", "_"), painters, verdict(fake, 1) + 2 * divergence(h))


def discogan(loop: Loop, judging: bool, r: float) -> None:
    """The authors' image_translation.py: who steps depends on the round, all else is the same."""
    AB, BA, DA, DB = (loop.nets[name] for name in ("AB", "BA", "DA", "DB"))
    a, b = loop.draw(0, "a"), loop.draw(0, "b")
    ab, ba = AB(a), BA(b)
    judged: list[Tensor] = []
    fooled: list[Tensor] = []
    for discriminator, real, fake in ((DA, a, ba), (DB, b, ab)):
        fake = fake.detach() if judging else fake
        (verdict, features), (wrong, forged) = (discriminator(v, outputs=("", "level1"))
                                                for v in (real, fake))  # fmt: skip
        one, none = torch.ones_like(verdict), torch.zeros_like(verdict)
        bce = F.binary_cross_entropy_with_logits
        judged.append(0.5 * bce(verdict, one) + 0.5 * bce(wrong, none))
        matching = (features.mean(0) - forged.mean(0)).square().mean()
        fooled.append(0.1 * bce(wrong, one) + 0.9 * matching)
    if judging:
        loop.learn("D", "DA DB", sum(judged))  # type: ignore[arg-type]
    else:
        back = F.mse_loss(BA(ab), a) + F.mse_loss(AB(ba), b)
        loop.learn("G", "AB BA", (1 - r) * sum(fooled) + r * back)


LOOPS = {
    **ROUNDS,
    ("discogan", 0, 0): lambda loop: discogan(loop, True, 0.01),
    ("discogan", 0, 1): lambda loop: discogan(loop, False, 0.01),
    ("discogan", 1, 0): lambda loop: discogan(loop, True, 0.5),
    ("discogan", 1, 1): lambda loop: discogan(loop, False, 0.5),
    ("ganomaly", 0, 0): ganomaly,
    ("stackgan", 0, 0): lambda loop: stackgan(loop, False),
    ("stackgan", 1, 0): lambda loop: stackgan(loop, True),
}
"""A loop by hand for each kind of round of each variant that ships, as in `ROUNDS`."""


def compare(name: str, spec: Spec) -> None:
    """Each kind of round of the plan and of the loop by hand: the same gradients, all steps."""
    for stage in range(len(spec.stages)):
        for first, _ in Plan(spec).patterns(stage):
            compare_round(LOOPS[name.replace("-", "_"), stage, first], spec, stage, first)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", SMALL)
def test_gradients_of_a_round_are_those_of_the_papers_loop(name: str) -> None:
    compare(name, small(name))


MISTAKES = {
    "translations and images side by side": ("discogan", "mse(aba, a)", "mse(aba, b)"),
    "no features": ("discogan", "0.45 * (feature_matching", "0 * (feature_matching"),
    "features of the discriminator of the other": ("discogan", "DB.level1(ab)", "DA.level1(ab)"),
    "one schedule for all": ("discogan", "0.5 * (mse(aba", "0.01 * (mse(aba"),
    "translations judged where they come from": ("discogan", "bce(DB(ab), 0)", "bce(DA(ab), 0)"),
    "the fake is judged real": ("gan", "bce(D(fake), 0)", "bce(D(fake), 1)"),
    "the loss that saturates": ("gan", '"fool": "bce(D(fake), 1)', '"fool": "-bce(D(fake), 0)'),
    "half of the real loss": ("dcgan", "bce(D(x), 1)", "bce(D(x), 1) / 2"),
    "labels of other images": ("cgan", "bce(D(x, y), 1)", "bce(D(x, roll(y)), 1)"),
    "labels of other fakes": ("cdcgan", "bce(D(fake, y), 0)", "bce(D(fake, roll(y)), 0)"),
    "the critic's sign": ("wgan", "mean(C(fake)) - mean(C(x))", "mean(C(x)) - mean(C(fake))"),
    "the generator's sign": ("wgan", "-mean(C(fake))", "mean(C(fake))"),
    "no clipping": ("wgan", '"clip_weights": 0.01', '"clip_weights": null'),
    "a wider box": ("wgan", '"clip_weights": 0.01', '"clip_weights": 0.1'),
    "one critic step": ("wgan-gp", '"repeat": 5', '"repeat": 1'),
    "a weaker penalty": ("wgan-gp", "10 * gradient", "1 * gradient"),
    "no interpolation": ("wgan-gp", "penalty(C, x, fake)", "penalty(C, x, x)"),
    "a one-sided round": ("wgan-gp", "-mean(C(fake))", "mean(C(x)) - 2 * mean(C(fake))"),
    "encoder to the right label": ("bigan", "bce(D(x, code), 0)", "bce(D(x, code), 1)"),
    "encoder without a gradient": ("bigan", "bce(D(x, code), 0)", "bce(D(x, detach(code)), 0)"),
    "generator to the right label": ("ali", "bce(D(fake, z), 1)", "bce(D(fake, z), 0)"),
    "a code without chance": ("ali", "reparameterize(h, e)", "average(h) + 0 * e"),
    "mean and deviation as one": ("ali", "reparameterize(h, e)", "average(h) + e"),
    "code and noise confused": ("wbigan", "(x, code), (fake, z)", "(x, z), (fake, code)"),
    "the encoder's sign": (
        "wbigan",
        "mean(C(x, code)) - mean(C(fake, z))",
        "-mean(C(x, code)) - mean(C(fake, z))",
    ),
    "another's caption is right": (
        "stackgan",
        "bce(D(roll(small), t), 0)",
        "bce(D(roll(small), t), 1)",
    ),
    "an image with its own caption": ("stackgan", "D2(roll(x), t)", "D2(x, t)"),
    "no divergence": ("stackgan", '"kl": "2 * kl(h2)"', '"kl": "0 * kl(h2)"'),
    "one condition for both": ("stackgan", "reparameterize(h2, e2)", "reparameterize(h, e2)"),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_loss_would_be_seen(mistake: str) -> None:
    name, old, new = MISTAKES[mistake]
    with pytest.raises(AssertionError):
        compare(name, changed(small(name), old, new))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["bigan", "ali"])
def test_one_after_the_other_is_another_round(name: str) -> None:
    """Known bug 2: D and E, G step from the same forward passes, and not D first."""
    spec = small(name)
    [group] = spec.stages[0].round
    assert [update.train for update in group.together] == [("D",), ("E", "G")]
    passes = Plan(spec).round(0, 0).passes()
    assert {net: count.total for net, count in passes.items()} == {"G": 1, "E": 1, "D": 2}
    with pytest.raises(AssertionError):
        compare(name, with_round(spec, lambda round: round[0].together))


@pytest.mark.parametrize("name", ["bigan", "ali", "wbigan"])
def test_an_encoder_that_no_term_reaches_is_refused(name: str) -> None:
    """Known bug 1 in its plainest form: the encoder is listed, and nothing trains it."""
    spec = small(name)
    term = "bce(D(x, code), 0)" if name != "wbigan" else "mean(C(x, code)) - mean(C(fake, z))"
    rest = "0" if name != "wbigan" else "-mean(C(fake, z))"
    with pytest.raises(SpecError, match="'E' is trained here, but no term depends on it"):
        changed(spec, term, rest)


# ---------------------------------------------------------------------------------- phases


def moves(spec: Spec) -> list[set[str]]:
    """The networks of which a weight moved, step by step, in two rounds of each stage."""
    found: list[set[str]] = []
    run = training(spec.with_steps(2 * len(spec.stages)))

    def look(name: str, step: Callable[[], None]) -> None:
        before = {n: [p.clone() for p in net.parameters()] for n, net in run.networks.items()}
        step()
        found.append(
            {
                n
                for n, net in run.networks.items()
                if any(
                    not torch.equal(*pair) for pair in zip(before[n], net.parameters(), strict=True)
                )
            }
        )

    watch(run, look)
    for _ in range(2 * len(spec.stages)):
        run.round()
    return found


def papers_moves(name: str) -> list[set[str]]:
    if name == "stackgan":
        return 2 * [{"D"}, {"G", "CA"}] + 2 * [{"D2"}, {"G2", "CA2"}]
    if name == "discogan":  # one round of the first stage, three of the second
        return [{"DA", "DB"}, {"DA", "DB"}, {"AB", "BA"}, {"AB", "BA"}]
    if name == "ganomaly":
        return 2 * [{"GE", "GD", "E"}, {"D"}]
    discriminator = {"C"} if name.startswith("w") else {"D"}
    others = {"E", "G"} if name in ("bigan", "ali", "wbigan") else {"G"}
    return 2 * ([discriminator] * (5 if name.startswith("w") else 1) + [others])


@pytest.mark.parametrize("name", SMALL)
def test_each_phase_moves_its_networks_alone(name: str) -> None:
    """Known bug 12: a step of the discriminator leaves the generator as it is, and vice versa."""
    assert moves(small(name)) == papers_moves(name)


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("gan", '"train": ["D"]', '"train": ["D", "G"]'),  # the fake is followed into G
        ("cdcgan", '"train": ["G"]', '"train": ["G", "D"]'),
        ("bigan", '"train": ["E", "G"]', '"train": ["G"]'),
        ("wbigan", '"train": ["E", "G"]', '"train": ["E", "G", "C"]'),
    ],
)
def test_a_step_of_the_wrong_networks_would_be_seen(name: str, old: str, new: str) -> None:
    try:
        spec = changed(small(name), old, new)
    except SpecError as error:  # a network that never learns
        assert "no update trains this network" in str(error)
        return
    assert moves(spec) != papers_moves(name)


# --------------------------------------------------------------------- batch normalisation


def norms(spec: Spec) -> set[tuple[float, float]]:
    """(eps, momentum) of every batch norm of the built modules."""
    return {
        (module.eps, module.momentum)
        for net in build(spec).values()
        for module in net.modules()
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
    }


@pytest.mark.parametrize("name", SMALL)
def test_the_epsilon_of_batch_norm_is_small(name: str) -> None:
    """Known bug 6: 0.8, torch's second positional argument, was meant as a momentum."""
    spec = small(name)
    if name in ("gan", "cgan"):
        assert norms(spec) == set()
    else:
        assert norms(spec) == {(1e-5, 0.1)}
        assert norms(changed(spec, '"eps": 1e-05, "momentum": 0.1', '"eps": 0.8')) != {(1e-5, 0.1)}


# --------------------------------------------------------------------------------- critics


def scores_alone(spec: Spec) -> bool:
    """Whether a critic's score of a sample is the same alone and in a batch, while training."""
    nets = tame(spec)
    discriminator = nets["C" if "C" in nets else "D"].train()
    draw = draws(spec)
    values = [draw(0, name) for name in ("x", "z")[: len(discriminator.names)]]
    whole = discriminator(*values)
    order = torch.tensor([2, 0, 3, 1])
    pairs = [[v[i : i + 1].expand(2, *v.shape[1:]) for v in values] for i in range(BATCH)]
    alone = torch.cat([discriminator(*pair)[:1] for pair in pairs])
    shuffled = discriminator(*(v[order] for v in values))
    return torch.allclose(whole, alone, rtol=1e-9) and torch.allclose(whole[order], shuffled)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "wbigan"])
def test_a_critic_scores_each_sample_alone(name: str) -> None:
    """Known bug 3: with batch norm the slope at one sample is another's, too."""
    assert scores_alone(small(name))


@pytest.mark.usefixtures("float64")
def test_a_discriminator_with_batch_norm_does_not() -> None:
    assert not scores_alone(small("dcgan"))


@pytest.mark.parametrize("name", ["wgan-gp", "wbigan"])
@pytest.mark.parametrize("kind", ["batch_norm", "minibatch_std"])
def test_batch_norm_in_a_penalised_critic_is_refused(name: str, kind: str) -> None:
    plain = small(name).to_dict()
    critic = plain["networks"]["C"]
    branch = critic["inputs"]["x"] if name == "wbigan" else critic["layers"]
    branch.insert(1, {"kind": kind})
    with pytest.raises(SpecError, match=f"gradient_penalty refuses {kind} .networks.C.*1704.00028"):
        Spec.from_dict(plain)


def linear_critic(name: str, channels: int) -> tuple[Spec, Training]:
    """The variant with the critic w.x (+ v.z), after one round that moved nothing."""
    spec = small(name, channels, lr=1e-30)
    inputs = {"x": (Flatten(),)} if name == "wgan-gp" else {"x": (Flatten(),), "z": ()}
    critic = Network(inputs, (Linear(1, bias=False),))
    spec = spec.model_copy(update={"networks": {**spec.networks, "C": critic}})
    run = training(spec, data(channels))
    run.round()
    return spec, run


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["wgan-gp", "wbigan"])
def test_the_penalty_of_a_linear_critic(name: str, channels: int) -> None:
    """Known bugs 3 and 4: ten times (|w| - 1)^2, one norm over all that is judged."""
    _, run = linear_critic(name, channels)
    [w] = run.networks["C"].parameters()
    found = run.losses()["C.penalty"]
    assert found == pytest.approx(10 * (w.norm().item() - 1) ** 2, rel=1e-4)
    # a norm over channels at each pixel, or one for image and code each, is something else
    pixels = w[0, : channels * 256].view(channels, -1)
    assert found != pytest.approx(10 * (pixels.norm(dim=0) - 1).square().mean().item(), rel=0.1)
    if name == "wbigan":
        image, code = pixels.norm().item(), w[0, channels * 256 :].norm().item()
        assert code > 0
        assert found != pytest.approx(10 * ((image - 1) ** 2 + (code - 1) ** 2), rel=0.01)
        assert found != pytest.approx(10 * (image - 1) ** 2, rel=1e-3)


@pytest.mark.parametrize("name", ["wgan-gp", "wbigan"])
def test_each_sample_has_a_random_point_of_its_own(name: str) -> None:
    """Known bugs 3 and 4: not one for the batch, and the same for image and code."""
    run = training(small(name))
    seen: list[tuple[Tensor, ...]] = []
    run.networks["C"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    run.round()
    shares = []
    for index, point in enumerate(seen):
        if not (point[0].is_leaf and point[0].requires_grad):
            continue
        fake, real = seen[index - 2], seen[index - 1]
        mixes = []
        for p, f, r in zip(point, fake, real, strict=True):
            p, f, r = (v.detach().flatten(1).double() for v in (p, f, r))
            mix = ((p - f) * (r - f)).sum(1) / (r - f).square().sum(1)
            torch.testing.assert_close(p, f + mix[:, None] * (r - f), rtol=0, atol=1e-5)
            mixes.append(mix)
        for mix in mixes:
            torch.testing.assert_close(mix, mixes[0], rtol=0, atol=1e-5)
        shares += mixes[0].tolist()
    assert len(shares) == 5 * BATCH
    assert 0 <= min(shares) < 0.3 and 0.7 < max(shares) < 1
    assert len({round(share, 4) for share in shares}) == len(shares)


def after_clipping(spec: Spec) -> list[float]:
    """The largest weight of the critic after each step of three rounds, whoever stepped."""
    run, found = training(spec), []

    def look(name: str, step: Callable[[], None]) -> None:
        step()
        found.append(max(p.abs().max().item() for p in run.networks["C"].parameters()))

    watch(run, look)
    for _ in range(3):
        run.round()
    return found


def test_no_weight_of_wgans_critic_is_ever_outside_the_box() -> None:
    """Known bug 5: the official code clamps before the step, so that G meets weights outside."""
    found = after_clipping(small("wgan"))
    assert len(found) == 3 * (5 + 1)
    assert max(found) <= 0.01
    assert min(found) > 0.009  # the box is used
    without = changed(small("wgan"), '"clip_weights": 0.01', '"clip_weights": null')
    assert max(after_clipping(without)) > 0.01


def wgan_faults(spec: Spec) -> list[str]:
    """What clipping and the Wasserstein distance do not go with."""
    faults = [
        layer.kind
        for _, layer in spec.networks["C"].walk()
        if layer.kind.endswith("norm") or layer.kind in ("sigmoid", "tanh", "softplus")
    ]
    run = training(spec)
    for name, updater in run.updaters.items():
        options = updater.optimizer.defaults
        if options.get("momentum") or "betas" in options:
            faults.append(f"{name} has momentum")
        if not isinstance(updater.optimizer, torch.optim.RMSprop):
            faults.append(f"{name} has {type(updater.optimizer).__name__}")
    return faults


def test_wgans_critic_has_no_norm_no_sigmoid_and_no_momentum() -> None:
    """Known bug 5."""
    spec = small("wgan")
    assert wgan_faults(spec) == []
    relu = {"kind": "leaky_relu", "slope": 0.2, "gain": 1.0}
    plain = spec.to_dict()
    assert plain["networks"]["C"]["layers"][1] == relu
    plain["networks"]["C"]["layers"][1:2] = [BatchNorm().model_dump(), relu]
    plain["networks"]["C"]["layers"].append({"kind": "sigmoid"})
    plain["stages"][0]["round"][0]["optimizer"] = {"kind": "sgd", "momentum": 0.9}
    assert wgan_faults(Spec.from_dict(plain)) == [
        "batch_norm", "sigmoid", "C has momentum", "C has SGD",
    ]  # fmt: skip
    assert isinstance(spec.stages[0].updates[0].optimizer, RMSprop)


# -------------------------------------------------------------- which way a step must lead


def lead(spec: Spec, wanted: str) -> dict[str, float]:
    """By how much one step of the update `wanted` raises the scores of fakes and data.

    The discriminator is the one that the gradients were taken of, and the batch is theirs. An
    optimizer's first step remembers nothing, so it follows this gradient alone.
    """
    spec = without_dropout(spec)
    run = training(spec)
    for name, net in tame(spec).items():
        run.networks[name].load_state_dict(net.state_dict())
    found: dict[str, float] = {}
    names = [name for name in "xyze" if name in spec.draws]
    [discriminator] = set("CD") & set(spec.networks)
    version = run.plan.versions(0) - 1
    # a discriminator's scores are weighed as its loss does: the batch norm before its last
    # layer holds the mean of plain logits nearly still, whoever steps
    critical = discriminator == "C"
    low, high = (torch.positive, torch.positive) if critical else (F.logsigmoid, F.softplus)

    def scores(critic: Any) -> dict[str, float]:
        values = dict(zip(names, run.draws(run.step, version, tuple(names)), strict=True))
        torch.set_default_dtype(torch.float64)  # of which OneHot makes its vectors
        try:
            return in_double(critic, values)
        finally:
            torch.set_default_dtype(torch.float32)

    def in_double(critic: Any, values: dict[str, Tensor]) -> dict[str, float]:
        v = {n: value.double() if n != "y" else value for n, value in values.items()}
        nets = {n: deepcopy(net).double() for n, net in run.networks.items()}
        with torch.no_grad():
            if "E" not in nets:
                told = [v["y"]] if "y" in v else []
                return {"made": low(critic(nets["G"](v["z"], *told), *told)).mean().item()}
            code = nets["E"](v["x"])
            code = sample(code, v["e"]) if "e" in v else code
            return {
                "made": low(critic(nets["G"](v["z"]), v["z"])).mean().item(),
                "coded": high(critic(v["x"], code)).mean().item(),
            }

    # where all step together, the gradients are those of the discriminator before its own step
    together = isinstance(spec.stages[0].round[0], Together)
    before_round = deepcopy(run.networks[discriminator]).double()

    def look(name: str, step: Callable[[], None]) -> None:
        if name == wanted:
            critic = before_round if together else deepcopy(run.networks[discriminator]).double()
            before = scores(critic)
            step()
            after = scores(critic)
            found.update({key: after[key] - before[key] for key in before})
        else:
            step()

    watch(run, look)
    run.round()
    return found


def without_dropout(spec: Spec) -> Spec:
    """Scores before and after a step compare only where chance is the same, so without it."""
    plain = spec.to_dict()
    for network in plain["networks"].values():
        for layers in (network["layers"], *network["inputs"].values()):
            layers[:] = [layer for layer in layers if layer["kind"] != "dropout"]
    return read(spec, plain)


@pytest.mark.parametrize("name", ["gan", "cgan", "dcgan", "cdcgan", "wgan", "wgan-gp"])
def test_a_step_of_the_generator_raises_the_score(name: str) -> None:
    """Known bug 5, the sign; it has to be right in the others, too."""
    slow = {"lr_generator": 1e-5} if name == "wgan" else {"lr": 1e-5}
    spec = small(name, **slow, **({"weight_decay": 0.0} if name[0] == "c" else {}))
    assert lead(spec, "G")["made"] > 0
    right, wrong = {
        "w": ("-mean(C(fake))", "mean(C(fake))"),
        "c": ("bce(D(fake, y), 1)", "bce(D(fake, y), 0)"),
    }.get(name[0], ("bce(D(fake), 1)", "bce(D(fake), 0)"))
    assert lead(changed(spec, right, wrong), "G")["made"] < 0


@pytest.mark.parametrize("name", ["bigan", "ali", "wbigan"])
def test_encoder_and_generator_fool_the_discriminator(name: str) -> None:
    """Known bug 1: one small step raises D(G(z), z) and lowers D(x, E(x))."""
    spec = small(name, lr=1e-5, **({"weight_decay": 0.0} if name == "bigan" else {}))
    found = lead(spec, "E_G")
    assert found["made"] > 0 > found["coded"]
    # the encoder toward the right label, or without a gradient: as in much public code
    good, toward, cut = (
        ("bce(D(x, code), 0)", "bce(D(x, code), 1)", "bce(D(x, detach(code)), 0)")
        if name != "wbigan"
        else (
            "mean(C(x, code)) - mean(C(fake, z))",
            "-mean(C(x, code)) - mean(C(fake, z))",
            "mean(C(x, detach(code))) - mean(C(fake, z))",
        )
    )
    assert lead(changed(spec, good, toward), "E_G")["coded"] > 0
    assert lead(changed(spec, good, cut), "E_G")["coded"] == 0


# ---------------------------------------------------------------------------------- labels


BLIND = [
    {"kind": "one_hot", "classes": CLASSES},
    {"kind": "reshape", "shape": [1, CLASSES, 1]},
    {"kind": "global_pool"},
]
"""A branch that makes the same number of every label."""


def labels_count(spec: Spec) -> tuple[bool, bool]:
    """Whether D(x, y) and G(z, y) differ for each two labels, after some steps of training."""
    run = training(spec)
    for _ in range(5):
        run.round()
    x, z = run.draws(0, 0, ("x", "z"))
    found = []
    for name, value in (("D", x), ("G", z)):
        net = run.networks[name].eval()
        with torch.no_grad():
            a, b, c = (net(value, torch.full((BATCH,), y)) for y in range(CLASSES))
        found.append(min((u - v).flatten(1).norm(dim=1).min() for u, v in ((a, b), (b, c), (a, c))))
    return found[0].item() > 1e-6, found[1].item() > 1e-6


@pytest.mark.parametrize("name", ["cgan", "cdcgan"])
def test_both_networks_use_the_label(name: str) -> None:
    """Known bug 9."""
    spec = small(name).with_steps(10)
    assert labels_count(spec) == (True, True)
    for index, blind in enumerate("DG"):
        plain = spec.to_dict()
        branch = plain["networks"][blind]["inputs"]["y"]
        branch[:1] = BLIND
        assert labels_count(Spec.from_dict(plain)) == (index == 1, index == 0)


@pytest.mark.parametrize("name", ["cgan", "cdcgan"])
def test_labels_are_one_hot_and_not_embedded(name: str) -> None:
    """Known bug 9: two embeddings that learn apart, where the paper has vectors of 0 and 1."""
    for network in small(name).networks.values():
        assert network.inputs["y"][0] == OneHot(CLASSES)
        assert not any(isinstance(layer, Embedding) for _, layer in network.walk())


def untold(spec: Spec) -> list[str]:
    """The layers with weights whose input does not end in the label, one number for each class."""
    found: list[str] = []
    nets = networks(spec)
    y = torch.tensor([2, 0, 1, 1])
    wanted = F.one_hot(y, CLASSES)

    def look(path: str) -> Callable[..., None]:
        def hook(_: Any, inputs: tuple[Tensor, ...]) -> None:
            tail = inputs[0][:, -CLASSES:]
            told = tail.shape[1] == CLASSES and (
                tail == wanted.view(*wanted.shape, *[1] * (tail.ndim - 2))
            )
            if not torch.as_tensor(told).all():
                found.append(path)

        return hook

    for name, value in (("G", "z"), ("D", "x")):
        for path, module in nets[name].named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                module.register_forward_pre_hook(look(f"{name}.{path}"))
        nets[name](draws(spec)(0, value), y)
    return found


def test_the_label_enters_every_layer_of_cdcgan() -> None:
    """The authors' code: a label that enters once is lost among hundreds of channels."""
    spec = small("cdcgan")
    weights = [
        layer
        for network in spec.networks.values()
        for layer in network.layers
        if isinstance(layer, Linear | Conv | Deconv)
    ]
    assert len(weights) == 3 + 4
    assert untold(spec) == []
    for name, network in spec.networks.items():
        places = [i for i, layer in enumerate(network.layers) if isinstance(layer, Inject)]
        for place in places:
            layers = network.layers[:place] + network.layers[place + 1 :]
            fewer = network.model_copy(update={"layers": layers})
            mutated = spec.model_copy(update={"networks": {**spec.networks, name: fewer}})
            assert len(untold(mutated)) == 1


# ----------------------------------------------------------------------------------- codes


def bigan_generator(weights: dict[str, Tensor], z: Tensor) -> Tensor:
    """arXiv:1605.09782 in matrices: h = relu(bn(W0 z)), then relu(bn(W1 h + Wz z)), then tanh."""

    def bn(v: Tensor) -> Tensor:
        return (v - v.mean(0)) / (v.var(0, unbiased=False) + 1e-5).sqrt()

    first, second, last = (w for w in weights.values() if w.ndim == 2)
    [bias] = (b for key, b in weights.items() if key.endswith("bias"))
    latent, width = z.shape[1], first.shape[0]
    assert second.shape == (width, latent + width)
    assert len(weights) == 4, "batch norm without gain and bias, linear layers without bias"
    h = bn(z @ first.T).relu()
    h = bn(z @ second[:, :latent].T + h @ second[:, latent:].T).relu()
    return torch.tanh(h @ last.T + bias).view(-1, 1, 16, 16)


def bigan_discriminator(weights: dict[str, Tensor], x: Tensor, z: Tensor) -> Tensor:
    """The latent joins at the second layer; nothing hides how large it is."""
    first, second, latent, last = (w for w in weights.values() if w.ndim == 2)
    b0, b1, b2 = (w for w in weights.values() if w.ndim == 1)
    h = F.leaky_relu(x.flatten(1) @ first.T + b0, 0.2)
    h = F.leaky_relu(h @ second.T + b1 + z @ latent.T, 0.2)
    return h @ last.T + b2


@pytest.mark.usefixtures("float64")
def test_the_networks_of_bigan_in_matrices() -> None:
    """The latent comes in at the second layer, of G as of D."""
    spec = small("bigan", dropout=0.0)
    nets, draw = networks(spec), draws(spec)
    x, z = draw(0, "x"), draw(0, "z")
    weights = {name: dict(net.named_parameters()) for name, net in nets.items()}
    torch.testing.assert_close(nets["G"](z), bigan_generator(weights["G"], z))
    torch.testing.assert_close(nets["D"](x, z), bigan_discriminator(weights["D"], x, z))
    # without the latent in the second layer it is another network
    skip = spec.networks["G"].layers[0]
    plain = spec.networks["G"].model_copy(
        update={"layers": (*skip.layers, *spec.networks["G"].layers[1:])}
    )
    other = networks(spec.model_copy(update={"networks": {**spec.networks, "G": plain}}))["G"]
    with pytest.raises(AssertionError):
        bigan_generator(dict(other.named_parameters()), z)


def test_the_code_of_ali_is_a_gaussian_of_which_encode_gives_the_mean() -> None:
    run = training(small("ali"))
    run.round()
    model = run.model()
    mean = torch.linspace(-1, 1, 5)
    log_std = torch.linspace(-1.5, 0.5, 5)
    *_, head = [m for m in model.networks["E"].modules() if isinstance(m, torch.nn.Linear)]
    assert head.out_features == 10
    images = torch.rand(1, 1, 16, 16)
    free = torch.from_numpy(model.encode(images))
    with torch.no_grad():  # a known Gaussian, whatever the image
        head.weight.zero_()
        head.bias.copy_(torch.cat([mean, log_std]))
    code = torch.from_numpy(model.encode(images, seed=0))
    torch.testing.assert_close(code, mean[None])
    assert torch.equal(code, torch.from_numpy(model.encode(images, seed=1)))
    assert not torch.allclose(code, free)

    def sampled(seed: int) -> Tensor:
        noise = torch.randn(4000, 5, generator=torch.Generator().manual_seed(seed))
        x = images.expand(4000, 1, 16, 16)
        return model.evaluate(model.spec.tasks["sampled"].output, {"x": x, "e": noise})

    first, second = sampled(0), sampled(1)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.mean(0), mean, rtol=0, atol=0.1)
    torch.testing.assert_close(first.std(0), log_std.exp(), rtol=0.05, atol=0)


def test_a_discriminator_of_codes_sees_how_large_they_are() -> None:
    """Batch norm behind the join would hide it: pairs of either kind are a batch of their own."""
    for name in ("bigan", "ali", "wbigan"):
        spec = small(name, dropout=0.0) if name != "wbigan" else small(name)
        nets, draw = networks(spec), draws(spec)
        x, z = draw(0, "x"), draw(0, "z")
        discriminator = nets["C" if name == "wbigan" else "D"]
        near, far = discriminator(x, z), discriminator(x, 1000 * z)
        assert (near - far).abs().mean() > 10 * (near - discriminator(x, 1.1 * z)).abs().mean(), (
            name
        )


@pytest.mark.parametrize("name", ["bigan", "wbigan"])
def test_other_codes_have_no_chance_in_them(name: str) -> None:
    run = training(small(name))
    run.round()
    model = run.model()
    images = torch.rand(3, 1, 16, 16)
    assert (model.encode(images, seed=0) == model.encode(images, seed=1)).all()
    assert model.encode(images).shape == (3, 5)
