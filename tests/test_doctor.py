"""The training doctor: each diagnosis on runs that really fail so, and none on healthy ones."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import runs, with_loss
from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.plugins.host import default
from ganzoo.runs import doctor
from ganzoo.runs.doctor import About, diagnose
from ganzoo.runs.looks import grain, spread_of, twins
from ganzoo.spec import HalfLife, Spec
from ganzoo.testing import noise
from tests.builders import run
from tests.shipped import small
from tests.sick_runs import STEPS, circling, gan, of_digits, one_picture, trained
from tests.table import TABLE

FAST = (1e-3, 0.5)
WASSERSTEIN = {"critic": "mean(D(fake)) - mean(D(x))"}
SICK: dict[str, tuple[Callable[[], Spec], Callable[[], Source] | None]] = {
    "discriminator wins": (lambda: gan((2e-3, 0.5), (1e-5, 0.5)), None),
    "gradient vanishes": (
        lambda: gan((5e-3, 0.5), (1e-4, 0.5), fool="-bce(D(fake), 0)"), None,
    ),
    "mode collapse": (lambda: gan((1e-4, 0.5), (5e-3, 0.9)), None),
    "oscillation": (circling, one_picture),
    "not finite soon": (
        lambda: gan((2e-2, 0.5), (2e-2, 0.5), critic=WASSERSTEIN, fool="-mean(D(fake))"), None,
    ),
    "nothing left to learn": (lambda: with_loss(gan(FAST, FAST), "rpgan"), one_picture),
}  # fmt: skip
"""A run that fails in each way; other things may be wrong with it, too, where one follows from
another."""
HEALTHY: dict[str, Callable[[], Spec]] = {
    "gan": lambda: gan(FAST, FAST),
    "rpgan": lambda: with_loss(gan(FAST, FAST), "rpgan"),
}


@pytest.mark.parametrize("rule", SICK)
def test_a_run_that_fails_is_told_so(rule: str, tmp_path: Path, monkeypatch, capsys) -> None:
    """On the way, in a line, and by `ganzoo doctor` afterwards."""
    spec, data = SICK[rule]
    steps = 1500 if rule == "oscillation" else STEPS
    said = trained(tmp_path / "run", spec(), data() if data else None, steps)
    found = {finding.rule: finding for finding, _ in runs.examine(tmp_path / "run")}
    assert rule in found, (sorted(found), said)
    assert any(found[rule].says in line for line in said), said
    assert run(monkeypatch, "doctor", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert found[rule].says in shown and found[rule].suggestion[:30] in shown
    assert run(monkeypatch, "doctor", tmp_path / "run", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["findings"]
    assert rule in {row["rule"] for row in rows}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_told_nothing(name: str, tmp_path: Path, monkeypatch, capsys) -> None:
    said = trained(tmp_path / "run", HEALTHY[name]())
    assert said == [] and runs.examine(tmp_path / "run") == []
    assert run(monkeypatch, "doctor", tmp_path / "run") == 0
    assert "its log shows no problems" in capsys.readouterr().out


def test_a_run_of_a_few_rounds_is_told_nothing(tmp_path: Path) -> None:
    assert trained(tmp_path / "run", gan(steps=30), steps=30) == []


# ------------------------------------------------------------------- the rules, on lines alone


def lines(**terms: Callable[[float], float]) -> list[dict[str, Any]]:
    """A log of 400 lines: each term a function of how far it is, with some noise."""
    n = 400
    chance = random.Random(0)
    return [
        {
            "step": 10 * (i + 1),
            "losses": {
                name.replace("_", "."): f(i / n) * (1 + 0.15 * chance.gauss(0, 1))
                for name, f in terms.items()
            },
        }
        for i in range(n)
    ]


ABOUT = About(4000, "G", "D")
CALM: dict[str, Callable[[float], float]] = {
    "D_real": lambda t: 0.6,
    "D_fake": lambda t: 0.6,
    "G_fool": lambda t: 0.9,
}


def rules(some: list[dict[str, Any]], about: About = ABOUT) -> set[str]:
    return {finding.rule for finding in diagnose(some, about)}


def test_a_noisy_equilibrium_is_well() -> None:
    assert rules(lines(**CALM)) == set()


def test_trends_and_spikes_are_well() -> None:
    drifting = lines(
        D_real=lambda t: 0.7 - 0.4 * t, D_fake=lambda t: 0.7 - 0.4 * t, G_fool=lambda t: 0.7 + 3 * t
    )
    assert rules(drifting) == set()
    spiky = lines(**CALM)
    for i in range(0, 400, 37):
        spiky[i]["losses"]["D.real"] = 900.0
    assert rules(spiky) == set()


def test_a_critic_may_find_any_distance() -> None:
    """Its loss has no best value, so that near zero is nothing won."""
    some = lines(D_critic=lambda t: -5 * (1 - t), D_penalty=lambda t: 0.05, G_critic=lambda t: 1e-3)
    assert rules(some, About(4000, "G", "D", critic=True)) == set()


def test_a_loss_that_grows_as_a_power_of_the_rounds_has_no_bound() -> None:
    some = lines(D_critic=lambda t: -1 - 1e8 * t * t, G_critic=lambda t: 1.0)
    assert rules(some, About(4000, "G", "D", critic=True)) == {"loss without bound"}
    large = lines(D_critic=lambda t: -1e7 * (1 + t), G_critic=lambda t: 1.0)
    assert rules(large, About(4000, "G", "D", critic=True)) == set(), "it was as large at first"
    grown = lines(D_critic=lambda t: -1 - 1e8 * min(t, 0.3), G_critic=lambda t: 1.0)
    assert rules(grown, About(4000, "G", "D", critic=True)) == set(), "it grows no more"


def test_slow_waves_of_both_are_an_oscillation() -> None:
    wave = lambda phase: lambda t: 1 + 0.6 * math.sin(2 * math.pi * (12 * t + phase))  # noqa: E731
    some = lines(D_real=wave(0), G_fool=wave(0.5))
    assert rules(some) == {"oscillation"}
    assert rules(lines(D_real=wave(0), G_fool=lambda t: 1.0)) == set(), "one of them alone"


def test_a_figure_that_has_long_been_better_leaves_nothing_to_learn() -> None:
    some = lines(**CALM)
    for i, line in enumerate(some[19::20]):
        line["figures"] = {"fid": 20.0 + abs(i - 5)}
    [finding] = diagnose(some, ABOUT)
    assert finding.rule == "nothing left to learn" and "20" in finding.evidence
    assert "round 1,200" in finding.evidence
    for i, line in enumerate(some[19::20]):
        line["figures"] = {"fid": 40.0 - i}
    assert rules(some) == set()


def test_few_classes_are_a_collapse() -> None:
    some = lines(**CALM)
    for line in some[39::40]:
        line["samples"] = {"spread": 0.8, "duplicates": 0.1, "classes": 0.3}
    [finding] = diagnose(some, ABOUT)
    assert finding.rule == "mode collapse" and "30% of the data's classes" in finding.evidence
    some[-1]["samples"] = {"spread": 0.8, "duplicates": 0.1, "classes": 0.9}
    assert rules(some) == set(), "one look at it was a moment"


def test_each_finding_is_listed_once_and_whether_it_lasts() -> None:
    some = lines(**CALM)
    for i, line in enumerate(some):
        low = 100 <= i < 250
        line["losses"]["D.real"] *= 1e-4 if low else 1
        line["losses"]["D.fake"] *= 1e-4 if low else 1
    found = doctor.course(some, ABOUT)
    assert [(finding.rule, last) for finding, last in found] == [("discriminator wins", False)]
    assert doctor.course([], ABOUT) == []


def test_damaged_values_do_not_hurt() -> None:
    some = lines(**CALM)
    some[5]["samples"], some[6]["gradients"], some[7]["verdicts"] = 3, {"G": None}, {}
    some[8]["figures"] = {"fid": math.nan}
    assert rules(some) == set()


@pytest.mark.parametrize("row", TABLE)
def test_every_kind_of_model_can_be_examined(row: str) -> None:
    about = About.of(TABLE[row]())
    assert about.steps == TABLE[row]().steps
    if row in {"gan", "wgan", "wgan_gp"}:
        assert about.generator == "G" and about.discriminator in {"D", "C"}


def test_a_critic_is_known_by_its_distance() -> None:
    assert About.of(small("wgan")).critic and About.of(small("wgan-gp")).critic
    assert not About.of(small("gan")).critic


@pytest.mark.parametrize(
    "average, batch, lags",
    [
        (HalfLife(100_000), 32, True),  # half of 192,000 images: a run of R3GAN that drew blurs
        (HalfLife(100_000), 320, False),
        (HalfLife("minimum(100000, 0.05 * images)"), 32, False),
        ("where(step < 100, 0, 0.9999)", 32, True),
        (0.9999, 32, False),  # decays without an expression are smaller at first
    ],
)
def test_an_average_over_much_of_the_run_lags(average: Any, batch: int, lags: bool) -> None:
    spec = small("gan").replace(ema={"G": average}, steps=6_000)
    about = About.of(spec, batch)
    assert rules(lines(**CALM), about) == ({"average lags"} if lags else set())


def test_a_run_is_judged_by_its_own_length_and_not_by_that_of_its_spec(tmp_path: Path) -> None:
    spec = gan(FAST, FAST).replace(ema={"G": HalfLife("0.05 * images")}).with_steps(6_000)
    trained(tmp_path / "run", spec, steps=600)
    assert "average lags" not in {finding.rule for finding, _ in runs.examine(tmp_path / "run")}


def test_samples_of_networks_that_are_not_trained_yet_are_no_collapse() -> None:
    """Of StackGAN's two stages, the first trains none of the networks that draw the samples."""
    about = About.of(small("stackgan").with_steps(2_000))
    assert 0 < about.begins < 2_000 and About.of(small("gan")).begins == 0
    grey = {"spread": 0.003, "duplicates": 1.0}
    seen = [
        line if line["step"] % 200 else {**line, "samples": grey}
        for line in lines(**CALM)
        if line["step"] <= 2_000
    ]
    within = [line for line in seen if line["step"] <= about.begins]
    assert rules(within, about) == set()
    assert rules(seen, replace(about, begins=0)) == rules(seen, about) == {"mode collapse"}


def test_no_variant_has_an_average_that_lags() -> None:
    """By its default length; and in four thousand rounds, but for those with authors' settings."""
    for name, variant in default().variants.items():
        spec = variant().spec(noise(32, 3).fields)
        brief = len(spec.stages) == 1 and spec.steps <= 20_000
        short = [spec.replace(steps=4_000)] if brief else []
        for one in (spec, *short):
            assert About.of(one).half_life <= 0.2 * one.steps, name


# -------------------------------------------------------------------------------- what it sees


def test_twins_are_counted() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(64, 1, 8, 8, generator=generator)
    between, usual = spread_of(images)
    assert between > usual > 0 and twins(images, 0.1 * usual) == 0
    images[16:32] = images[:16]
    assert twins(images, 0.1 * usual) == 0.5
    assert spread_of(images[:1].expand(64, -1, -1, -1))[0] == 0


def test_grain_is_the_difference_of_neighbouring_pixels() -> None:
    slope = torch.arange(8.0).mul(0.1).expand(2, 3, 8, 8)  # 0.1 to the right, nothing down
    assert grain(slope) == pytest.approx(0.05)
    assert grain(torch.rand(8, 3, 32, 32)) == pytest.approx(1 / 3, abs=0.01)


def test_the_log_has_what_the_doctor_reads(tmp_path: Path) -> None:
    trained(tmp_path / "run", gan(steps=7), steps=7)
    log = runs.log(tmp_path / "run")
    assert [line["step"] for line in log if "gradients" in line] == [1, 5, 7]
    assert set(log[0]["gradients"]) == {"D", "G"}
    assert 0 <= log[-1]["verdicts"]["separation"] <= 1
    assert log[-1]["samples"].keys() == {"spread", "duplicates", "grain"}
    assert not any("samples" in line for line in log[:-1]), "seven rounds pay for one look"
    assert STEPS > doctor.EARLY


def test_the_page_shows_what_it_says(capsys) -> None:
    import re

    page = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.startswith("discriminator wins its loss is 0.002, of 1.4")


def test_classes_are_counted_where_a_classifier_is_installed() -> None:
    from ganzoo.data import load
    from ganzoo.runs.looks import Looks

    source = load("digits")
    made = Training(
        of_digits(), source, batch=8, seed=0, device=torch.device("cpu"), precision="fp32"
    )
    looks = Looks(made, source, "digits")
    for rows, share in ((torch.arange(64), 1.0), (torch.arange(64) * 10 + 3, 0.1)):
        seen = looks.samples(source.batch("image", rows).add(1).div(2))
        assert seen["classes"] == pytest.approx(share, abs=0.11), rows[:3]
        assert seen["duplicates"] < 0.2
    # of a thousand classes, 64 images show 62 or so, and other 64 hardly one of these
    looks._known = frozenset(range(100, 162))
    few = looks._classes(torch.rand(2), source.batch("image", torch.arange(64)).add(1).div(2))
    assert few == pytest.approx(10 / 62)
    assert "classes" not in Looks(made, source, "nowhere").samples(torch.rand(64, 1, 28, 28))


# ----------------------------------------------------- the rules, on logs of convolutional runs

LOGS = Path(__file__).parent / "logs"


def stored(name: str) -> tuple[About, list[dict[str, Any]]]:
    """A thinned log of a real run, and what its rules need to know of it."""
    about, *rest = (json.loads(text) for text in (LOGS / f"{name}.jsonl").read_text().splitlines())
    return About(**about), rest


def found_in(name: str, thinner: int) -> set[str]:
    """What is found in a log while it grows, of which a share of the lines is kept."""
    about, lines = stored(name)
    # what is seen at some lines only is kept with the others
    kept = [line for i, line in enumerate(lines) if i % thinner == 0 or "samples" in line]
    return {found.rule for found, _ in doctor.course(kept, about)}


@pytest.mark.parametrize("thinner", [1, 2, 4])
@pytest.mark.parametrize(
    "name, rule, others",
    [
        # the generator's rate is a five hundredth of the discriminator's
        ("sick-slow-generator", "discriminator wins", {"mode collapse"}),
        # the loss of 2014, which saturates, against a discriminator that is far ahead
        ("sick-saturating", "gradient vanishes", {"discriminator wins", "mode collapse"}),
        # a latent of one number, and none at all
        ("sick-small-latent", "mode collapse", set[str]()),
        ("sick-no-noise", "mode collapse", {"discriminator wins"}),
        # infogan of portraits: its samples varied at round 2,400, and no more at 3,200
        ("sick-late-collapse", "mode collapse", set[str]()),
        # stylegan2 of portraits at 64 pixels, by the authors' rule for R1 (0.026): one brown head
        ("sick-one-head", "mode collapse", set[str]()),
        # cdcgan of portraits: good at round 5,000, noise at 7,000
        ("sick-noise", "noise", set[str]()),
        # both rates 25 times too high, with a memory of gradients of ten rounds
        ("sick-high-rates", "oscillation", set[str]()),
        # a critic without penalty or clipping
        ("sick-free-critic", "loss without bound", {"not finite soon", "mode collapse"}),
    ],
)
def test_failing_convolutional_runs_are_named(
    name: str, rule: str, others: set[str], thinner: int
) -> None:
    """A small dcgan of digits, 16x16, made to fail in one way; `others` follow from that."""
    if rule == "oscillation" and thinner > 1:
        pytest.skip("three swings need more than a hundred lines")
    found = found_in(name, thinner)
    assert rule in found and found <= {rule, *others}


@pytest.mark.parametrize("thinner", [1, 3, 8])
@pytest.mark.parametrize(
    "name",
    [
        "dcgan-16",  # the same network and data as the sick ones, at equal rates
        "dcgan-avatars",  # 64x64 in colour: its discriminator is far ahead, and it goes on learning
        "dcgan-digits",  # of a quickstart, with gradients, verdicts and looks at samples
        "gan-fashion-mnist",
        "r3gan-avatars",
        "wgan-gp-mnist",
        "wgan-mnist",
    ],
)
def test_healthy_runs_of_the_zoo_are_told_nothing(name: str, thinner: int) -> None:
    """At no moment, however often they log."""
    about, lines = stored(name)
    assert len(lines) > 90
    assert [str(found) for found, _ in doctor.course(lines[::thinner], about)] == []
