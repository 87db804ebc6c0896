"""`--augment`: discriminators of any variant see augmented images, real ones and fakes alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import ganzoo
from ganzoo.engine.plan import Plan
from ganzoo.engine.training import Training
from ganzoo.errors import SpecError, UnknownNameError
from ganzoo.nn.build import build
from ganzoo.nn.functions.augmentations import diffaugment
from ganzoo.publish.card import card
from ganzoo.spec import Spec, Update
from ganzoo.spec.losses.augment import Augmentation, augmented
from ganzoo.testing import noise
from tests.builders import gan, training
from tests.reference import Loop
from tests.rounds import compare_round
from tests.shipped import small

T = "diffaugment"


def terms(spec: Spec) -> dict[str, str]:
    return {
        f"{update.name}.{name}": text
        for stage in spec.stages
        for update in stage.updates
        for name, text in update.minimize.items()
    }


@pytest.mark.parametrize(
    "name", ["gan", "cdcgan", "wgan-gp", "bigan", "wbigan", "discogan", "stackgan"]
)
def test_every_image_that_a_discriminator_sees_is_augmented(name: str) -> None:
    plain = small(name, channels=3)
    made = ganzoo.with_augment(plain, T)
    discriminators = {"wgan-gp": "C", "wbigan": "C"}.get(name, "D")
    discriminators = ["DA", "DB"] if name == "discogan" else [discriminators]
    for text in terms(made).values():
        for d in discriminators:
            for call in text.split(f"{d}(")[1:]:
                assert call.startswith(f"{T}("), text
    # codes, labels and noise stay as they are; so do the tasks, and the networks
    assert "D(code" not in str(terms(made)) and f"{T}(code)" not in str(terms(made))
    assert made.tasks == plain.tasks and made.networks == plain.networks
    assert made.title == f"{plain.title} with diffaugment"
    assert Spec.from_json(made.to_json()) == made
    build(made)
    Plan(made).round(0, 0)


def test_a_penalty_is_on_the_slope_before_the_augmentation() -> None:
    """R1 of T(x) with respect to x; the penalty between images is between augmented images."""
    both = {"r1": "2 * r1(D, x)", "gp": "gradient_penalty(D, x, fake)", "o": "orthogonal(D)"}
    d = Update("D", {"real": "mean(softplus(-D(x)))", **both})
    made = ganzoo.with_augment(gan(round=[d, gan().stages[0].round[1]]), T)
    found = terms(made)
    assert found["D.r1"] == f"2 * mean(squared_norm(grad(D({T}(x)), x)))"
    assert found["D.gp"] == f"gradient_penalty(D, {T}(x), {T}(fake))"
    assert found["D.o"] == "orthogonal(D)"
    spec = gan(
        networks={"G": gan().networks["G"], "D": gan().networks["D"]},
        round=[Update("D", {"r1": "mean(squared_norm(grad(D(x), x)))"}), gan().stages[0].round[1]],
    )
    assert terms(ganzoo.with_augment(spec, T))["D.r1"] == (
        f"mean(squared_norm(grad(D({T}(x)), x)))"
    )


def test_lets_are_augmented_and_what_tasks_read_is_not() -> None:
    d = Update("D", {"real": "mean(softplus(-real))", "fake": "mean(softplus(D(fake)))"})
    let = {"fake": "G(z)", "real": "D(x)"}
    plain = gan(let=let, round=[d, gan().stages[0].round[1]])
    made = ganzoo.with_augment(plain, T)
    assert made.let["real"] == f"D({T}(x))" and terms(made)["D.real"] == "mean(softplus(-real))"
    tasks = {"generate": "G(z)", "score": {"kind": "score", "output": "-real"}}
    plain = gan(let=let, round=[d, gan().stages[0].round[1]], tasks=tasks)
    made = ganzoo.with_augment(plain, T)
    assert made.let["real"] == "D(x)" and made.let["real_augmented"] == f"D({T}(x))"
    assert terms(made)["D.real"] == "mean(softplus(-real_augmented))"
    assert made.tasks["score"].output == "-real"


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["dcgan", "cdcgan"])
def test_gradients_are_those_of_a_plain_loop(name: str) -> None:
    """One draw a sample and kind of image, the same for both players; gradients reach G."""
    made = ganzoo.with_augment(small(name, channels=3), T)
    names = [name for _, name in Plan(made).round(0, 0).draws if name.endswith(".chance")]
    [of_x], [of_fake] = ([n for n in names if f"({word})" in n] for word in ("x", "fake"))

    def by_hand(loop: Loop) -> None:
        D, G = loop.nets["D"], loop.nets["G"]
        told = [loop.draw(0, "y")] if name == "cdcgan" else []
        x, fake = loop.draw(0, "x"), G(loop.draw(0, "z"), *told)

        def logits(images: Tensor, chance: str) -> Tensor:
            return D(diffaugment(images, chance=loop.draw(0, chance)), *told)

        bce = F.binary_cross_entropy_with_logits
        real, made = logits(x, of_x), logits(fake.detach(), of_fake)
        loop.learn("D", "D", bce(real, torch.ones_like(real)) + bce(made, torch.zeros_like(made)))
        fooled = logits(G(loop.draw(0, "z"), *told), of_fake)
        loop.learn("G", "G", bce(fooled, torch.ones_like(fooled)))

    compare_round(by_hand, made, 0, 0)


# -------------------------------------------------------------------------------------- ada


def test_ada_follows_the_verdicts_on_real_images() -> None:
    spec = gan(round=[Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}),
                      gan().stages[0].round[1]])  # fmt: skip
    made = ganzoo.with_augment(spec, "ada,images=1000")
    assert terms(made)["D.real"] == "bce(D(ada(x, p)), 1)"
    run = training(made.with_steps(8), batch=8)
    with torch.no_grad():
        for weight in run.networks["D"].parameters():
            weight.zero_()
        [*run.networks["D"].parameters()][-1].fill_(50.0)  # sure of all
    for _ in range(5):
        run.round()
    assert run.memory.held["p"]["value"].item() == pytest.approx(2 * 4 * 8 / 1000)


def test_where_zero_means_nothing_a_probability_is_asked_for() -> None:
    with pytest.raises(SpecError, match=r"the critic C, whose zero has no meaning.*ada,p=0\.2"):
        ganzoo.with_augment(small("wgan-gp"), "ada")
    relative = gan(round=[Update("D", {"pair": "mean(softplus(D(fake) - D(x)))"}),
                          gan().stages[0].round[1]])  # fmt: skip
    with pytest.raises(SpecError, match="compares the outputs of D"):
        ganzoo.with_augment(relative, "ada")
    with pytest.raises(SpecError, match="2 stages, and p would follow one"):
        ganzoo.with_augment(small("discogan"), "ada")
    for name in ("wgan-gp", "discogan"):
        made = ganzoo.with_augment(small(name), "ada,p=0.2")
        assert "ada(" in str(terms(made)) and not made.state


def test_least_squares_is_undecided_halfway() -> None:
    least = gan(round=[Update("D", {"real": "mse(D(x), 1)", "fake": "mse(D(fake), 0)"}),
                       Update("G", {"fool": "mse(D(fake), 1)"})])  # fmt: skip
    made = ganzoo.with_augment(least, "ada")
    [(_, text)] = made.state["p"].expressions()
    assert "sign(D(ada(x, p)) - 0.5)" in text


def test_a_name_that_is_taken_is_left_alone() -> None:
    d = {"real": "mean(softplus(-D(x))) + 0 * mean(p)", "fake": "mean(softplus(D(fake)))"}
    round = [Update("D", d), gan().stages[0].round[1]]
    made = ganzoo.with_augment(gan(let={"fake": "G(z)", "p": "0.5 * D(x)"}, round=round), "ada")
    assert set(made.state) == {"p_"} and "ada(x, p_)" in terms(made)["D.real"]


# --------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("difaugment", UnknownNameError, "did you mean 'diffaugment'"),
        ("ada,q=1", SpecError, "augmentation 'ada' has no 'q'"),
        ("diffaugment,p=1", SpecError, "has no 'p'; it has no settings"),
        ("ada,p", SpecError, "write name=value"),
        ("ada,p=2", SpecError, "p: "),
    ],
)
def test_mistakes_say_what_there_is(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Augmentation.named(text)


def test_pairs_of_features_are_refused() -> None:
    with pytest.raises(SpecError, match="of two images that would be augmented in two ways"):
        ganzoo.with_augment(small("ganomaly"), T)


@pytest.mark.parametrize(
    ("lets", "real", "found"),
    [
        ({}, "mean(softplus(-D(diffaugment(x))))", "diffaugment"),
        ({}, "mean(softplus(-D(ada(x, 0.2))))", "ada"),
        ({"y": "D(seen)", "seen": "mirror(ada_color(x, 1), 0)"}, "mean(-y)", "ada_color"),
        ({}, "r1(D, diffaugment_cutout(x))", "diffaugment_cutout"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("augment", ["diffaugment", "ada,p=0.2"])
def test_images_are_not_augmented_twice(
    lets: dict[str, str], real: str, found: str, augment: str
) -> None:
    d, g = gan().stages[0].round
    let = {**gan().let, **lets}
    spec = gan(let=let, round=[Update("D", {"real": real, "fake": "mean(D(fake))"}), g])
    with pytest.raises(SpecError) as caught:
        ganzoo.with_augment(spec, augment)
    assert f"augments the images of D already, by {found}; take that out" in str(caught.value)
    # what a generator gets is no image of the discriminator
    seen = "G(z + 0 * mean(diffaugment(x)))"
    made = ganzoo.with_augment(gan(let={"fake": seen}, round=[d, g]), "diffaugment")
    assert "D(diffaugment(fake))" in str(terms(made))


def test_a_spec_without_a_discriminator_is_refused() -> None:
    spec = gan(
        networks={"G": gan().networks["G"]},
        round=[Update("G", {"like": "mse(fake, x)"})],
        tasks={"generate": "G(z)"},
    )
    with pytest.raises(SpecError, match="has no discriminator that gets images"):
        ganzoo.with_augment(spec, T)


# ------------------------------------------------------------------------ runs and resuming


def test_train_takes_it_and_what_is_saved_says_so(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from ganzoo.cli import app

    out = tmp_path / "run"
    words = ["train", "dcgan", "--data", "digits", "--steps", "2", "--batch", "4", "--set",
             "width=4", "--augment", "ada", "--out", str(out)]  # fmt: skip
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    config = json.loads((out / "model" / "config.json").read_text())
    facts = config["made_by"]["augment"]
    assert facts["name"] == "ada" and facts["source"] == "arXiv:2006.06676"
    assert facts["changes"][0] == "D sees ada(images, p), of data and of fakes"
    model = ganzoo.from_pretrained(str(out / "model"))
    assert "augmented before a discriminator saw them, by `ada`" in card(model)
    assert model.generate(1)


def test_python_takes_it() -> None:
    steps = ganzoo.train(gan(), noise(8), steps=1, augment=T)
    spec = next(iter(steps)).training.spec
    assert f"D({T}(x))" in terms(spec)["D.real"]
    _, facts = augmented(gan(), "ada,p=0.3")
    assert facts["settings"] == {"p": 0.3}


def test_it_resumes_bit_for_bit(tmp_path: Path) -> None:
    made = ganzoo.with_augment(gan(), "ada")

    def run() -> Training:
        return Training(made, noise(8), batch=4, seed=0, device=torch.device("cpu"),
                        precision="fp32")  # fmt: skip

    whole, first = run(), run()
    for _ in range(6):
        whole.round()
    for _ in range(3):
        first.round()
    second = run()
    second.load(first.save(tmp_path / "checkpoint.safetensors"))
    for _ in range(3):
        second.round()
    ours, theirs = second.networks["G"].state_dict(), whole.networks["G"].state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
