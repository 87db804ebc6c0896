"""A Spec as people read it: one screen of mathematics, and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganzoo.spec import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    CondNorm,
    Conv,
    Decay,
    Default,
    Dropout,
    Gaussian,
    Image,
    Inject,
    LayerNorm,
    LeakyReLU,
    Linear,
    Network,
    Normal,
    Optimizer,
    Orthogonal,
    ReLU,
    Reshape,
    Residual,
    RMSprop,
    Shared,
    Skip,
    Spec,
    Tap,
    Together,
    Update,
    files,
)
from ganzoo.spec.latex import expression_latex, latex, layer_text, text
from ganzoo.spec.layers import Layer
from ganzoo.spec.schedule import updates_of
from tests.builders import gan
from tests.table import TABLE

rows = pytest.mark.parametrize("name", TABLE)


def words(value: str) -> str:
    """Without the layout: every run of blanks is one."""
    return " ".join(value.split())


def test_the_screen_of_wgan_gp() -> None:
    spec = Spec(
        title="WGAN-GP",
        source="arXiv:1704.00028",
        draws={"x": Image((1, 28, 28)), "z": Normal(128)},
        networks={
            "G": Network({"z": ()}, (Linear(784), Reshape((1, 28, 28)))),
            "C": Network({"image": ()}, (Conv(64, 5, 2), LeakyReLU(), Linear(1))),
        },
        let={"fake": "G(z)"},
        round=[
            Update(
                ("C",),
                {
                    "critic": "mean(C(fake)) - mean(C(x))",
                    "penalty": "10 * gradient_penalty(C, x, fake)",
                },
                repeat=5,
            ),
            Update(("G",), {"critic": "-mean(C(fake))"}, every=3, on=(1, 2), clip_weights=0.01),
        ],
        steps=20_000,
        ema={"G": 0.999},
        tasks={"generate": "G(z)"},
    )
    assert text(spec) == (
        """\
WGAN-GP  (arXiv:1704.00028)

draws     x: image 1x28x28 (image of the data)
          z: normal 128 (noise)
networks  G: (z 128) > linear 784 > reshape 1x28x28
          C: (image 1x28x28) > conv 64 5x5 /2 > leaky relu > linear 1
let       fake = G(z)
round     5x update C  minimize  critic: mean(C(fake)) - mean(C(x))
                                 penalty: 10 * gradient_penalty(C, x, fake)
                                 with adam, lr 0.0002, betas [0.5, 0.999]
          in rounds 1, 2 of 3: update G  minimize  critic: -mean(C(fake))
                                                   then clip weights to [-0.01, 0.01]
                                                   with adam, lr 0.0002, betas [0.5, 0.999]
ema       G 0.999
tasks     generate = G(z)
training  batch 64, 20,000 rounds"""
    )


@rows
def test_the_screen_says_everything_that_the_spec_names(name: str) -> None:
    spec = TABLE[name]()
    shown = words(text(spec))
    assert shown.startswith(f"{spec.title} ({spec.source}) draws ")
    for draw in spec.draws:
        assert f"{draw}: " in shown
    for network in spec.networks:
        assert f"{network}: (" in shown
    for let, value in spec.let.items():
        assert f"{let} = {value}" in shown
    for stage in spec.stages:
        for update in stage.updates:
            assert f"update {', '.join(update.train)} minimize" in shown
            for term, value in update.minimize.items():
                assert f"{term}: {value}" in shown
    for task, what in spec.tasks.items():
        assert f"{task} = {what.output}" in shown
        assert what.map is None or f"map {what.map}" in shown
    for network in spec.ema:
        assert f"ema {network} " in shown
    assert f"batch {spec.batch}, {spec.steps} rounds" in shown


def test_groups_stages_and_freezing_are_shown() -> None:
    together = text(TABLE["bigan"]())
    assert re.search(r"round +together\n +update D +minimize", together)
    staged = words(text(TABLE["stackgan"]()))
    assert "stage small (20 rounds) round update D minimize" in staged
    assert "stage large (40 rounds, frozen: CA, G) round update D2 minimize" in staged
    assert "in rounds 1, 2 of 3: update AB, BA" in words(text(TABLE["discogan"]()))
    assert "a: image 1x8x8 (a of the data, drawn on its own)" in text(TABLE["discogan"]())


@pytest.mark.parametrize(
    ("optimizer", "shown"),
    [
        (Adam(1e-4, (0, 0.9)), "adam, lr 0.0001, betas [0, 0.9]"),
        (
            Adam("cosine(images / 2e7, 2e-4, 5e-5)", (0, "power(0.99, 16 / 17)")),
            "adam, lr cosine(images / 2e7, 2e-4, 5e-5), betas [0, power(0.99, 16 / 17)]",
        ),
        (
            Adam(1e-3, (0.9, 0.999), weight_decay=1e-4, decay=Decay(start=0.3)),
            "adam, lr 0.001, betas [0.9, 0.999], weight decay 0.0001, "
            "linear decay to 0 of the rate after 30% of the rounds",
        ),
        (Adam(1e-3, eps=1e-6), "adam, lr 0.001, betas [0.5, 0.999], eps 1e-06"),
        (AdamW(1e-3), "adamw, lr 0.001, betas [0.9, 0.999], weight decay 0.01"),
        (RMSprop(), "rmsprop, lr 5e-05, alpha 0.99"),
        (SGD(0.1, 0.9), "sgd, lr 0.1, momentum 0.9"),
    ],
)
def test_each_update_is_shown_with_its_optimizer(optimizer: Optimizer, shown: str) -> None:
    later = Update("G", {"fool": "bce(D(fake), 1)"}, optimizer)
    spec = gan(round=[Update("D", {"real": "bce(D(x), 1)"}, SGD()), later])
    [first, second] = [line for line in text(spec).splitlines() if " with " in line]
    assert first.strip() == "with sgd, lr 0.1, momentum 0"
    assert second == f"{' ' * 30}with {shown}"


def test_a_rate_that_is_named_above_is_not_named_twice() -> None:
    """`lr lr` said nothing."""
    falling = "cosine(progress, 2e-4, 5e-5)"
    later = Update("G", {"fool": "bce(D(fake), 1)"}, Adam("rate"))
    first = Update("D", {"real": "bce(D(x), 1)"}, SGD())
    spec = gan(let={"fake": "G(z)", "rate": falling}, round=[first, later])
    assert "with adam, lr as above, betas [0.5, 0.999]" in text(spec)
    assert f"rate = {falling}" in text(spec)


def test_initial_weights_that_are_not_the_default_are_shown() -> None:
    layers = (Linear(64), Reshape((1, 8, 8)))
    for init, shown in (
        (Gaussian(0.1), ", gaussian init std 0.1"),
        (Orthogonal(), ", orthogonal init"),
        (Default(), ""),
    ):
        networks = {**gan().networks, "G": Network({"z": ()}, layers, init=init)}
        lines = text(gan(networks=networks)).splitlines()
        assert [line for line in lines if line.endswith(f"reshape 1x8x8{shown}")], shown


def test_the_shapes_that_networks_take_and_their_taps_are_shown() -> None:
    spec = TABLE["ganomaly"]()
    # x is drawn, and recon is computed
    shown = text(spec)
    assert "GE: (x 1x8x8) > " in shown and "GD: (code) > " in shown
    assert re.search(r"^taps +D: features$", shown, re.MULTILINE)
    assert "taps" not in text(TABLE["gan"]())
    known = text(spec, {"GD": {"code": (6,)}})
    assert "GD: (code 6) > " in known and "GE: (x) > " in known


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (Linear(8), "linear 8"),
        (Linear(8, bias=False), "linear 8 no bias"),
        (Conv(4, 5, 2), "conv 4 5x5 /2"),
        (Conv(4), "conv 4 3x3"),
        (Conv(4, padding=0), "conv 4 3x3 padding 0"),
        (Reshape((4, 2, 2)), "reshape 4x2x2"),
        (BatchNorm(), "batch norm"),
        (BatchNorm(affine=False), "batch norm affine False"),
        (LayerNorm(eps=1e-3), "layer norm eps 0.001"),
        (LeakyReLU(0.01), "leaky relu 0.01"),
        (Dropout(0.3), "dropout 0.3"),
        (Tap("features"), "tap features"),
        (Inject("y"), "inject y"),
        (Inject("y", join="add"), "inject y (add)"),
        (Inject("y", join="dot"), "inject y (dot)"),
        (Inject("y", (Linear(3), ReLU())), "inject (y > linear 3 > relu)"),
        (Skip((Conv(4), ReLU())), "skip(conv 4 3x3 > relu)"),
        (Residual((Conv(4), ReLU()), (Conv(4, 1),)), "residual(conv 4 3x3 > relu) + (conv 4 1x1)"),
        (Residual((Conv(4), Skip((ReLU(),)))), "residual(conv 4 3x3 > skip(relu))"),
    ],
)
def test_a_layer_in_a_few_characters(layer: Layer, shown: str) -> None:
    assert layer_text(layer) == shown


# ------------------------------------------------------------------------------- LaTeX


@pytest.mark.parametrize(
    ("row", "value", "expected"),
    [
        ("gan", "bce(D(x), 1)", r"\mathrm{BCE}\left(D(x),\, 1\right)"),
        ("gan", "-bce(D(fake), 0)", r"-\mathrm{BCE}\left(D(\mathrm{fake}),\, 0\right)"),
        (
            "wgan_gp",
            "mean(C(fake)) - mean(C(x))",
            r"\mathbb{E}\left[C(\mathrm{fake})\right] - \mathbb{E}\left[C(x)\right]",
        ),
        (
            "wgan_gp",
            "10 * gradient_penalty(C, x, fake)",
            r"10 \, \mathrm{GP}_{C}\left(x, \mathrm{fake}\right)",
        ),
        # what is given has no place in the template, and is not left out
        (
            "wgan_gp",
            "gradient_penalty(C, x, fake, y)",
            r"\operatorname{gradient\_penalty}\left(C, x, \mathrm{fake}, y\right)",
        ),
        (
            "wbigan",
            "gradient_penalty(C, (x, code), (fake, z))",
            r"\mathrm{GP}_{C}\left(\left(x, \mathrm{code}\right), "
            r"\left(\mathrm{fake}, z\right)\right)",
        ),
        (
            "ganomaly",
            "mse(D.features(x), D.features(recon))",
            r"\left\lVert D_{\mathrm{features}}(x) - D_{\mathrm{features}}(\mathrm{recon})"
            r" \right\rVert_2^2",
        ),
        (
            "ganomaly",
            "50 * l1(x, recon)",
            r"50 \, \left\lVert x - \mathrm{recon} \right\rVert_1",
        ),
        (
            "ganomaly",
            "mse(x, x - recon)",
            r"\left\lVert x - \left(x - \mathrm{recon}\right) \right\rVert_2^2",
        ),
        # numbers side by side would read as one, and a minus sign as a difference
        ("gan", "4 * 10 * mean(D(x))", r"4 \cdot 10 \cdot \mathbb{E}\left[D(x)\right]"),
        ("gan", "4 * 2", r"4 \cdot 2"),
        ("gan", "2 * (3 * D(x))", r"2 \cdot 3 \, D(x)"),
        ("gan", "2 * (1 / 3)", r"2 \cdot \frac{1}{3}"),
        ("gan", "2 * (D(x) / 3)", r"2 \, \frac{D(x)}{3}"),
        ("gan", "2 * -D(x)", r"2 \, \left(-D(x)\right)"),
        ("stackgan", "2 * kl(h)", r"2 \, D_\mathrm{KL}\left(h\right)"),
        (
            "stackgan",
            "reparameterize(h, e)",
            r"\operatorname{reparameterize}\left(h, e\right)",
        ),
        (
            "discogan",
            "feature_matching(DB.low(b), DB.low(ab))",
            r"\operatorname{feature\_matching}\left(\mathrm{DB}_{\mathrm{low}}(b), "
            r"\mathrm{DB}_{\mathrm{low}}(\mathrm{ab})\right)",
        ),
    ],
)
def test_formulas_in_latex(row: str, value: str, expected: str) -> None:
    assert expression_latex(TABLE[row](), value) == expected


def test_the_losses_of_wgan_as_a_block() -> None:
    assert latex(TABLE["wgan"]()) == (
        r"\begin{aligned}"
        "\n"
        r"\mathrm{fake} &= G(z) \\"
        "\n"
        r"\min_{C} &\; \mathbb{E}\left[C(\mathrm{fake})\right] - \mathbb{E}\left[C(x)\right]"
        r",\quad |\theta_{C}| \le 0.01 \quad \text{(5 times a round)} \\"
        "\n"
        r"\min_{G} &\; -\mathbb{E}\left[C(\mathrm{fake})\right]"
        "\n"
        r"\end{aligned}"
    )


def test_how_often_an_update_is_made_stands_beside_it() -> None:
    fool = Update("G", {"fool": "bce(D(fake), 1)"})
    critic = {"real": "bce(D(x), 1)"}
    spec = gan(
        round=[
            Update("D", critic, repeat=5),
            Update("D", critic, Shared("D"), name="lazy", every=16),
            Update("D", critic, name="most", every=3, on=(1, 2), repeat=2),
            Together([fool], every=4),
        ]
    )
    rows = [row for row in latex(spec).splitlines() if r"\min_" in row]
    assert [re.findall(r" \\quad \\text\{\((.*)\)\}", row) for row in rows] == [
        ["5 times a round"], ["every 16 rounds"], ["2 times a round, in rounds 1, 2 of 3"],
        ["every 4 rounds"],
    ]  # fmt: skip
    shown = words(text(spec))
    assert shown.count("with the optimizer of D") == 1
    assert "5x update D" in shown and "every 16 rounds: update D" in shown
    assert "2x in rounds 1, 2 of 3: update D" in shown and "every 4 rounds: together" in shown


def test_a_network_of_its_branches_alone() -> None:
    spec = files.read(Path(__file__).parent / "specs" / "reacgan.yaml")
    assert "P: (y label > embedding 3 8), spectral weights" in text(spec)
    assert layer_text(CondNorm("w", bias=True)) == "cond norm by w bias"
    assert layer_text(Linear(3, bias=False)) == "linear 3 no bias"


@rows
def test_the_latex_of_every_row_is_balanced_and_complete(name: str) -> None:
    spec = TABLE[name]()
    block = latex(spec)
    bare = block.replace(r"\{", "").replace(r"\}", "")
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert block.count(r"\left") == block.count(r"\right")
    updates = [
        update for stage in spec.stages for item in stage.round for update in updates_of(item)
    ]
    assert block.count(r"\min_{") == len(updates)
    assert len(block.splitlines()) == 2 + len(spec.let) + len(updates)
    for let in spec.let:
        assert re.search(rf"^(\\mathrm{{{let}}}|{let}) &= ", block, re.MULTILINE)


def test_stages_are_told_apart_in_latex() -> None:
    block = latex(TABLE["stackgan"]())
    assert block.count(r"\text{small: }") == block.count(r"\text{large: }") == 2
