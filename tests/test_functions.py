"""Functions of samples, distributions and patches, and augmentations, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.engine.plan import Plan
from ganzoo.nn.functions import (
    arithmetic,
    augmentations,
    distributions,
    load,
    losses,
    penalties,
    samples,
)
from ganzoo.spec import Adam, Categorical, Flatten, Linear, Network, Normal, Tap, Task, Update
from ganzoo.spec import Uniform as UniformNoise
from ganzoo.spec.functions import FUNCTIONS
from tests.builders import gan, training


def test_products_and_norms_are_of_each_sample() -> None:
    a, b = torch.randn(3, 2, 4), torch.randn(3, 2, 4)
    assert torch.allclose(
        samples.dot(a, b), torch.stack([(x * y).sum() for x, y in zip(a, b, strict=True)])
    )
    assert torch.allclose(samples.norm(a), torch.stack([x.norm() for x in a]))
    assert torch.allclose(samples.squared_norm(a), samples.norm(a).square())
    with pytest.raises(ValueError, match="shapes differ"):
        samples.dot(a, b[:, :1])


def test_a_mean_of_each_sample_is_a_score() -> None:
    values = torch.arange(24.0).view(2, 3, 4)
    assert samples.sample_mean(values).tolist() == [5.5, 17.5]
    assert torch.equal(samples.sample_mean(values[:, 0, :1]), values[:, 0, 0])


def test_mirrored_is_who_is_told_to() -> None:
    maps = torch.arange(12.0).view(2, 1, 2, 3)
    found = samples.mirror(maps, torch.tensor([[0.2], [0.7]]))
    assert found[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]] and torch.equal(found[1], maps[1])
    with pytest.raises(ValueError, match=r"noise \(batch, 1\)"):
        samples.mirror(maps, torch.zeros(2))


def test_a_point_between_is_one_for_all_of_a_sample() -> None:
    a, b, mix = torch.zeros(3, 2, 2), torch.ones(3, 2, 2), torch.tensor([0.0, 0.25, 0.99])
    found = samples.between(a, b, mix=mix)
    assert torch.allclose(found, (1 - mix)[:, None, None].expand(3, 2, 2))


def test_a_penalty_written_out_is_that_of_wgan_gp() -> None:
    """`between` and `grad` say what gradient_penalty does, at the same points."""
    point = "between(x, fake)"
    written = f"10 * mean(square(norm(grad(D({point}), {point})) - 1))"
    spec = gan(round=[Update("D", {"gp": written}), gan().stages[0].round[1]])
    run = training(spec)
    weights = {k: v.clone() for k, v in run.networks["D"].state_dict().items()}
    x, z = run.draws(0, 0, ("x", "z"))
    [name] = [name for _, name in run.plan.round(0, 0).draws if name.endswith(".mix")]
    [mix] = run.draws(0, 0, (name,))
    fake = run.networks["G"](z).detach()
    run.round()
    run.networks["D"].load_state_dict(weights)
    wanted = 10 * penalties.gradient_penalty(run.networks["D"], x, fake, mix=mix)
    assert run.losses()["D.gp"] == pytest.approx(wanted.item(), rel=1e-4)


def test_cosines_are_of_all_pairs() -> None:
    a, b = torch.randn(3, 4), torch.randn(5, 4)
    wanted = torch.stack([torch.stack([F.cosine_similarity(x, y, 0) for y in b]) for x in a])
    assert torch.allclose(samples.cosines(a, b), wanted, atol=1e-6)


def test_a_projection_is_the_difference_of_embeddings() -> None:
    """D(x, y) - D(x, y') = <e_y - e_y', h(x)>."""
    h, embedding = torch.randn(4, 8), torch.randn(5, 8)
    one, other = torch.tensor([0, 1, 2, 3]), torch.tensor([4, 0, 2, 1])
    score = h.sum(1)
    gap = (score + samples.dot(embedding[one], h)) - (score + samples.dot(embedding[other], h))
    assert torch.allclose(gap, ((embedding[one] - embedding[other]) * h).sum(1), atol=1e-5)


def test_mixing_crosses_over_where_it_says() -> None:
    a, b = torch.zeros(6, 5, 2), torch.ones(6, 5, 2)
    gate = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.95, 0.95])
    cut = torch.tensor([0.0, 0.3, 0.6, 0.99, 0.0, 0.5])
    mixed = samples.mix_rows(a, b, 0.9, gate=gate, cut=cut)[:, :, 0]
    firsts = [1, 2, 3, 4, 5, 5]  # 1 + floor(4 cut); the last two are not mixed
    wanted = torch.tensor([[float(row >= first) for row in range(5)] for first in firsts])
    assert torch.equal(mixed, wanted)


def test_infonce_is_a_loop_over_samples_and_places() -> None:
    q, k = torch.randn(3, 8, 5, 1, requires_grad=True), torch.randn(3, 8, 5, 1, requires_grad=True)
    wanted: list[Tensor] = []
    for sample in range(3):
        for place in range(5):
            own = q[sample, :, place, 0] / q[sample, :, place, 0].norm()
            others = k[sample, :, :, 0].detach()
            cosines = own @ (others / others.norm(dim=0)) / 0.07
            wanted.append(-cosines.log_softmax(0)[place])
    found = losses.infonce(q, k, 0.07)
    assert torch.allclose(found, torch.stack(wanted).mean(), atol=1e-4)
    found.backward()
    assert q.grad is not None and k.grad is None


def test_equal_noise_takes_equal_places_and_none_twice() -> None:
    places = torch.rand(2, 20)
    here = torch.arange(36.0).view(1, 1, 6, 6).expand(2, 3, 6, 6)
    found = samples.patches(here, places)
    assert found.shape == (2, 3, 20, 1)
    assert torch.equal(found[:, 0], found[:, 2])
    assert all(len(set(row.flatten().tolist())) == 20 for row in found[:, 0])
    assert torch.equal(samples.patches(here * 2, places), found * 2)
    few = samples.patches(here[:, :, :3, :3], places)
    assert few.shape == (2, 3, 9, 1)  # as many as there are, each once
    assert sorted(few[0, 0].flatten().tolist()) == sorted(here[0, 0, :3, :3].flatten().tolist())


def test_gumbel_samples_classes_as_often_as_their_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(20_000, 3)
    noise = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0))
    drawn = distributions.gumbel(logits, noise, 0.1)
    assert torch.allclose(drawn.sum(1), torch.ones(20_000))
    shares = F.one_hot(drawn.argmax(1), 3).float().mean(0)
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.015)


def test_truncation_is_a_truncated_normal() -> None:
    z = torch.randn(50_000, generator=torch.Generator().manual_seed(0))
    cut = distributions.truncate(z, 0.5)
    assert cut.abs().max() <= 0.5
    kept = z[z.abs() < 0.5]  # by rejection
    for moment in (2, 4):
        assert cut.pow(moment).mean().item() == pytest.approx(
            kept.pow(moment).mean().item(), rel=0.03
        )
    assert (cut[z.argsort()].diff() >= 0).all()  # in the same order
    assert torch.allclose(distributions.truncate(z, 8.0), z, atol=1e-4)


def test_orthogonality_is_of_rows_and_counts_no_lengths() -> None:
    class Weights:
        def matrices(self) -> dict[str, Tensor]:
            return {
                "a": torch.tensor([[2.0, 0, 0], [0, 3, 0]]),
                "b": torch.tensor([[1.0, 1], [1, 0]]),
            }

    assert penalties.orthogonal(Weights()).item() == 2  # b has 1 off the diagonal, twice
    spec = gan(round=[
        gan().stages[0].round[0],
        Update("G", {"fool": "mean(softplus(-D(fake)))", "o": "1e-2 * orthogonal(G)"}, Adam(1e-2)),
    ])  # fmt: skip
    assert Plan(spec).round(0, 0).passes()["G"].total == 1  # reading weights is not a pass
    run = training(spec)
    seen: list[float] = []
    for _ in range(8):
        run.round()
        seen.append(run.losses()["G.o"])
    assert seen[-1] < seen[0]


def test_where_and_comparisons() -> None:
    v = torch.tensor([-1.0, 0.0, 2.0])
    assert arithmetic.where(v, 1.0, -1.0).tolist() == [-1, -1, 1]
    assert arithmetic.clip(v, 0, 1).tolist() == [0, 0, 1]
    assert arithmetic.sign(v.requires_grad_()).requires_grad is False


# ---------------------------------------------------------------------------- augmentation

AUGMENTATIONS = [name for name, f in FUNCTIONS.items() if "chance" in f.draws]


def augmented(name: str, images: Tensor, p: float = 1.0, seed: int = 0) -> Tensor:
    function = FUNCTIONS[name]
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(len(images), function.draws["chance"], generator=generator)
    arguments = (images, p) if "p" in function.parameters else (images,)
    return load(name)(*arguments, chance=chance)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_differs_between_samples_and_lets_gradients_through(name: str) -> None:
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    images = image.repeat(24, 1, 1, 1).requires_grad_()
    found = augmented(name, images)
    assert found.shape == images.shape
    assert len({tuple(one.flatten().tolist()) for one in found.detach()}) > 8
    [slope] = torch.autograd.grad(found.square().sum(), images, create_graph=True)
    assert slope.abs().sum() > 0
    slope.square().sum().backward()  # and a penalty on it does
    assert images.grad is not None and images.grad.abs().sum() > 0
    if "p" in FUNCTIONS[name].parameters:
        assert torch.equal(augmented(name, images.detach(), p=0.0), images.detach())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_sample_is_augmented_alone_as_in_company(name: str) -> None:
    images = torch.rand(6, 3, 16, 16) * 2 - 1
    function = FUNCTIONS[name]
    chance = torch.rand(6, function.draws["chance"])
    more = (0.7,) if "p" in function.parameters else ()
    together = load(name)(images, *more, chance=chance)
    for index in range(6):
        one = slice(index, index + 1)
        alone = load(name)(images[one], *more, chance=chance[one])
        assert torch.allclose(alone, together[one], atol=1e-6)


@pytest.mark.parametrize("name", ["diffaugment_translation", "ada_blit", "ada_geometry"])
def test_channels_side_by_side_move_alike(name: str) -> None:
    images = torch.rand(5, 3, 16, 16)
    both = augmented(name, torch.cat((images, 2 * images), 1))
    assert torch.allclose(both[:, 3:], 2 * both[:, :3], atol=1e-5)


def test_diffaugment_is_what_its_paper_says() -> None:
    images = torch.rand(400, 3, 16, 16) * 2 - 1

    def colour(*chance: float) -> torch.Tensor:
        return augmentations.diffaugment_color(images[:1], chance=torch.tensor([chance]))

    x = images[:1]
    assert torch.allclose(colour(0.5, 0.5, 0.5), x, atol=1e-6)
    assert torch.allclose(colour(0.9, 0.5, 0.5), x + 0.4, atol=1e-6)
    grey = x.mean(1, keepdim=True)
    assert torch.allclose(colour(0.5, 0.0, 0.5), grey.expand_as(x), atol=1e-6)
    assert torch.allclose(colour(0.5, 1 - 1e-7, 0.5), 2 * x - grey, atol=1e-4)
    assert torch.allclose(colour(0.5, 0.5, 0.0), (x + x.mean()) / 2, atol=1e-5)
    chance = torch.rand(400, 2)
    moved = augmentations.diffaugment_translation(images, chance=chance)
    shifts = (chance * 5).floor().long() - 2  # 16 / 8 = 2 pixels at most
    for index in (0, 7, 42):
        down, right = shifts[index].tolist()
        wanted = torch.zeros(3, 16, 16)
        for i in range(16):
            for j in range(16):
                if 0 <= i + down < 16 and 0 <= j + right < 16:
                    wanted[:, i, j] = images[index, :, i + down, j + right]
        assert torch.equal(moved[index], wanted)
    cut = augmentations.diffaugment_cutout(torch.ones(2000, 1, 16, 16), chance=torch.rand(2000, 2))
    assert (1 - cut).sum((1, 2, 3)).max() == 64  # a square of 8
    assert 0.6 < cut.mean((0, 1)).min() < cut.mean((0, 1)).max() < 0.95  # its centre is anywhere


def test_ada_gates_each_step_with_probability_p() -> None:
    images = (torch.rand(1, 3, 8, 8) * 2 - 1).repeat(4000, 1, 1, 1)
    flips = torch.rand(4000, 7)
    flips[:, 2] = flips[:, 4] = 1.0  # nothing but the flip
    found = augmentations.ada_blit(images, 0.3, chance=flips)
    flipped = (found != images).flatten(1).any(1).float().mean().item()
    assert flipped == pytest.approx(0.3 / 2, abs=0.02)  # gated, and then a coin
    cut = augmentations.ada_cutout(images, 0.3, chance=torch.rand(4000, 3))
    changed = (cut != images).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.03)


def test_ada_moves_pixels_by_whole_numbers_and_turns_without_loss() -> None:
    images = torch.rand(50, 2, 8, 8)
    chance = torch.rand(50, 7)
    found = augmentations.ada_blit(images, 1.0, chance=chance)
    for one, other in zip(found, images, strict=True):
        assert set(one.flatten().tolist()) <= set(other.flatten().tolist())


def test_ada_colours_are_the_transforms_of_the_paper() -> None:
    x = torch.rand(1, 3, 4, 4) * 2 - 1

    def colour(**at: float) -> Tensor:
        """All steps off but those at which a gate is open."""
        chance = torch.ones(1, 10)
        for index, value in at.items():
            chance[0, int(index[1:])] = value
        return augmentations.ada_color(x, 0.5, chance=chance)

    half = 0.5  # the median: no brightness, factors of 1
    assert torch.allclose(
        colour(_0=0.75, _1=0), x + 0.2 * math.sqrt(2) * torch.erfinv(torch.tensor(0.5)), atol=1e-5
    )
    one_sigma = (1 + math.erf(1 / math.sqrt(2))) / 2
    assert torch.allclose(colour(_2=one_sigma, _3=0), x * 2**0.5, atol=1e-3)
    luma = x - 2 * x.mean(1, keepdim=True)
    assert torch.allclose(colour(_4=0, _5=0), luma, atol=1e-5)
    third = colour(_6=half + 1 / 3, _7=0)  # a turn of 120 degrees permutes the colours
    assert torch.allclose(third, x[:, [2, 0, 1]], atol=1e-4) or torch.allclose(
        third, x[:, [1, 2, 0]], atol=1e-4
    )
    grey = x.mean(1, keepdim=True)
    assert torch.allclose(colour(_8=one_sigma, _9=0), grey + 2 * (x - grey), atol=1e-3)


def test_the_generator_learns_through_an_augmentation_on_both_sides() -> None:
    spec = gan(
        round=[
            Update("D", {"real": "mean(softplus(-D(diffaugment(x))))",
                         "fake": "mean(softplus(D(diffaugment(fake))))"}),
            Update("G", {"fool": "mean(softplus(-D(diffaugment(fake))))"}),
        ]
    )  # fmt: skip
    round = Plan(spec).round(0, 0)
    assert round.code.count("draw(0") == 1 and "diffaugment(x).chance" in round.code
    run = training(spec)
    before = [p.detach().clone() for p in run.networks["G"].parameters()]
    run.round()
    after = list(run.networks["G"].parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


# --------------------------------------------------------------------------------- draws


def infogan() -> Any:
    return gan(
        draws={"x": gan().draws["x"], "z": Normal(3), "c": Categorical(4)},
        let={"fake": "G(concatenate(z, one_hot(c, 4)))"},
        networks={
            "G": gan().networks["G"],
            "D": Network({"x": ()}, [Flatten(), Linear(8), Tap("trunk"), Linear(1)]),
            "Q": Network({"h": ()}, [Linear(4)]),
        },
        round=[
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(fake)))"}),
            Update(["G", "Q"], {"fool": "mean(softplus(-D(fake)))",
                                "code": "cross_entropy(Q(D.trunk(fake)), c)"}),
        ],
        tasks={"generate": "fake"},
    )  # fmt: skip


def test_people_choose_a_class_that_is_noise_or_leave_it_to_the_seed() -> None:
    run = training(infogan())
    run.round()
    model = run.model()
    assert model.generate(5, output="pt").shape == (5, 1, 8, 8)
    chosen = model.generate(4, c=[0, 1, 2, 3], seed=1, output="pt")
    third = model.generate(4, c=3, seed=1, output="pt")
    assert torch.equal(chosen[3], third[3]) and not torch.equal(chosen[0], third[0])
    assert torch.allclose(model.generate(6, output="pt")[:3], model.generate(3, output="pt"))
    from ganzoo.errors import TaskError

    with pytest.raises(TaskError, match="c: whole numbers from 0 to 3, not 4"):
        model.generate(1, c=4)
    with pytest.raises(TaskError, match="takes no 'd'"):
        model.generate(1, d=4)


def test_classes_are_drawn_with_equal_chances() -> None:
    run = training(infogan())
    drawn = torch.cat([run.draws(step, 0, ("c",))[0] for step in range(500)])
    assert drawn.dtype == torch.int64
    shares = F.one_hot(drawn, 4).float().mean(0)
    assert torch.allclose(shares, torch.full((4,), 0.25), atol=0.03)


def test_noise_has_a_shape_and_may_be_truncated() -> None:
    spec = gan(
        draws={"x": gan().draws["x"], "z": Normal(4, truncation=0.5), "n": Normal(shape=(1, 8, 8)),
               "u": UniformNoise(shape=(2, 3), low=0)},
        let={"fake": "G(z) + 0.1 * n + 0 * mean(u)"},
        tasks={"generate": "fake"},
    )  # fmt: skip
    run = training(spec)
    z, n, u = run.draws(0, 0, ("z", "n", "u"))
    assert z.abs().max() <= 0.5 and n.shape == (8, 1, 8, 8) and u.shape == (8, 2, 3)
    assert u.min() >= 0 and u.max() < 1
    run.round()
    model = run.model()
    assert torch.allclose(model.generate(3, output="pt"), model.generate(5, output="pt")[:3])
    given = model.generate(2, noise={"n": torch.zeros(2, 1, 8, 8), "z": torch.zeros(2, 4)},
                           output="pt")  # fmt: skip
    assert torch.equal(given[0], given[1])


# ------------------------------------------------------------------------ optimisation at use


def inverting(**more: Any) -> Any:
    solve = {"solve": "z", "minimize": "distance(G(z), x)", "steps": 60, **more}
    return gan(
        tasks={
            "generate": "G(z)",
            "encode": Task(kind="encode", output="z", **solve),
            "score": Task(kind="score", output="distance(G(z), x)", **solve),
            "reconstruct": Task(kind="reconstruct", output="G(z)", **solve),
        }
    )


def test_what_is_solved_for_makes_its_expression_small(tmp_path: Any) -> None:
    from ganzoo.models import store

    run = training(inverting(optimizer=Adam(0.1, (0.9, 0.999))))
    model = run.model()
    images = model.generate(3, seed=5, output="pt")
    begun = model.evaluate("distance(G(z), x)", {
        "z": torch.zeros(3, 4), "x": images.mul(2).sub(1)}).mean()  # fmt: skip
    found = model.score(images).values
    assert found.max() < 0.05 * begun
    again = model.reconstruct(images, output="pt")
    assert (again - images).abs().mean() < 0.05
    assert model.encode(images).shape == (3, 4)
    loaded = store.load(store.save(model, tmp_path / "model"))
    assert (loaded.score(images).values == found).all()


def test_an_image_is_solved_alone_as_in_company() -> None:
    model = training(inverting()).model()
    images = model.generate(3, seed=5, output="pt")
    together = model.score(images).values
    alone = model.score(images[1:2]).values
    assert alone[0] == together[1]
    mean = training(inverting(minimize="mse(G(z), x)")).model()  # a mean over the samples
    assert mean.score(images).values == pytest.approx(together, rel=0.05)


def test_a_let_is_solved_for_from_where_it_says() -> None:
    from ganzoo.spec import Running, Spec

    spec = gan(
        state={"z_mean": Running("lerp(z_mean, batch_mean(z), 0.5)", size=4)},
        let={"fake": "G(z)", "start": "z_mean * 1"},
        tasks={
            "generate": "G(z)",
            "project": Task(kind="reconstruct", output="G(start)", solve="start",  # type: ignore[arg-type]
                            minimize="distance(G(start), x)", steps=40),
        },
    )  # fmt: skip
    assert Spec.from_json(spec.to_json()) == spec
    model = training(spec).model()
    images = model.generate(2, output="pt")
    again = model.reconstruct(images, task="project", output="pt")
    assert (again - images).abs().mean() < 0.5 * (images - images.mean()).abs().mean()
