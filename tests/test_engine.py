"""Training: every row of the table learns, and each rule of the engine holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.engine.draws import Draws
from ganzoo.errors import DataError, NonFiniteError, ShapeError, TrainingError
from ganzoo.spec import (
    SGD,
    Adam,
    Decay,
    Fields,
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Reshape,
    RMSprop,
    Spec,
    Tanh,
    Update,
)
from tests.builders import data_of as data
from tests.builders import diverging, dropping, nothing, same, training, weights
from tests.table import PIXELS, TABLE, fields

CPU = torch.device("cpu")


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The networks of which anything changed, batch statistics included."""
    return {
        key.split("/")[1]
        for key, value in after.items()
        if key.startswith("networks/") and not torch.equal(value, before[key])
    }


# ----------------------------------------------------------------------- the whole table


@pytest.mark.parametrize("row", TABLE)
def test_two_rounds_of_every_row(row: str) -> None:
    spec = TABLE[row]()
    spec = spec.with_steps(2 * len(spec.stages))
    named: set[str] = set()
    trained: set[str] = set()
    numbers: list[int] = []
    for step in train(spec, data(row), precision="fp32"):
        losses = step.losses()
        named |= set(losses)
        assert all(math.isfinite(value) for value in losses.values())
        assert step.total == spec.steps
        numbers.append(step.number)
    assert numbers == list(range(1, spec.steps + 1))
    assert named == {
        f"{update.name}.{term}"
        for stage in spec.stages
        for update in stage.updates
        for term in update.minimize
    }
    fresh = training(spec, data(row))
    before, after = weights(fresh), weights(step.training)
    trained = changed(before, after)
    assert trained == set(spec.networks)
    model = step.model()
    assert set(model.networks) == set(spec.published)


@pytest.mark.parametrize("row", TABLE)
def test_only_the_networks_of_an_update_learn(row: str) -> None:
    """Weight by weight, before and after each step of each update (known bugs 1 and 12)."""
    spec = TABLE[row]()
    # not to the end, where a rate may have fallen to nothing
    spec = spec.with_steps(8 * len(spec.stages))
    run = training(spec, data(row))
    apply, seen = run._apply, set()

    def watched(name: str) -> None:
        before = {n: [p.clone() for p in net.parameters()] for n, net in run.networks.items()}
        apply(name)
        seen.add(name)
        for net, module in run.networks.items():
            pairs = zip(before[net], module.parameters(), strict=True)
            moved = any(not torch.equal(a, b) for a, b in pairs)
            assert moved == (net in run._updates[name].train), (name, net)

    run._apply = watched  # type: ignore[method-assign]
    for _ in range(spec.steps - 1):
        run.round()
    assert seen == {update.name for stage in spec.stages for update in stage.updates}


def test_a_frozen_network_stays_as_it_is() -> None:
    """Weights and batch statistics, as requires_grad=False alone does not do (known bug 10)."""
    spec = TABLE["stackgan"]().with_steps(4)
    run = training(spec, data("stackgan"))
    while run.step < spec.stages[0].steps:
        run.round()
    before = weights(run)
    while run.step < spec.steps:
        run.round()
        assert not any(run.networks[name].training for name in ("CA", "G"))
    assert changed(before, weights(run)) == {"CA2", "G2", "D2"}


# -------------------------------------------------------------------------------- draws


class TestDraws:
    """Randomness as a function of (seed, step, name)."""

    def pairs(self, n: int = 20) -> Source:
        spec = Fields(fields={"image": Image((1, 1, 1)), "label": Label(n)})
        pixels = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1)
        return Source("pairs", spec, {"image": pixels, "label": np.arange(n)})

    def paired_spec(self) -> Spec:
        return Spec(
            draws={"x": Image((1, 1, 1)), "y": Label(20), "z": Normal(2)},
            networks={"A": Network({"x": (Flatten(),), "y": (OneHot(20),), "z": ()}, (Linear(1),))},
            round=[Update("A", {"a": "mean(A(x, y, z))"}, repeat=2)],
        )

    def test_fields_of_one_sample_stay_together(self) -> None:
        draws = Draws(self.paired_spec(), self.pairs(), batch=6, seed=3, device=CPU, versions=2)
        for step in range(7):
            for version in range(2):
                x, y = draws(step, version, ("x", "y"))
                pixels = ((x.flatten() + 1) * 127.5).round().long()
                assert torch.equal(pixels, y)

    def test_each_pass_over_the_data_has_every_sample_once_in_a_new_order(self) -> None:
        draws = Draws(self.paired_spec(), self.pairs(), batch=5, seed=0, device=CPU)
        passes = [torch.cat([draws(4 * k + i, 0, ("y",))[0] for i in range(4)]) for k in range(3)]
        for one in passes:
            assert sorted(one.tolist()) == list(range(20))
        assert not torch.equal(passes[0], passes[1]) and not torch.equal(passes[1], passes[2])

    def test_a_batch_larger_than_the_data(self) -> None:
        draws = Draws(self.paired_spec(), self.pairs(), batch=50, seed=0, device=CPU)
        (y,) = draws(1, 0, ("y",))
        assert len(y) == 50
        assert set(torch.bincount(y, minlength=20).tolist()) <= {2, 3}

    def test_do_not_depend_on_what_was_drawn_before(self) -> None:
        first = Draws(self.paired_spec(), self.pairs(), batch=6, seed=3, device=CPU, versions=2)
        again = Draws(self.paired_spec(), self.pairs(), batch=6, seed=3, device=CPU, versions=2)
        names = ("x", "y", "z", "gradient_penalty(A, x, x).mix")
        drawn = {(s, v): first(s, v, names) for s in range(6) for v in range(2)}
        for step, version in reversed(drawn):
            for name, value in zip(reversed(names), reversed(drawn[step, version]), strict=True):
                assert torch.equal(again(step, version, (name,))[0], value)

    def test_differ_by_seed_step_version_and_name(self) -> None:
        spec = self.paired_spec()
        one, other = (
            Draws(spec, self.pairs(), batch=6, seed=s, device=CPU, versions=2) for s in (0, 1)
        )
        noise = [one(0, 0, ("z",)), one(1, 0, ("z",)), one(0, 1, ("z",)), other(0, 0, ("z",))]
        mixes = [one(0, 0, ("a.mix",)), one(0, 0, ("b.mix",))]
        values = [tuple(value.flatten()[:4].tolist()) for (value,) in noise + mixes]
        assert len(set(values)) == len(values)

    @pytest.mark.parametrize("world", [2, 3])
    def test_processes_share_the_batch_of_one(self, world: int) -> None:
        spec, names = self.paired_spec(), ("x", "y", "z", "a.mix")
        whole = Draws(spec, self.pairs(), batch=6, seed=0, device=CPU)
        parts = [
            Draws(spec, self.pairs(), batch=6, seed=0, device=CPU, rank=r, world=world)
            for r in range(world)
        ]
        for step in range(8):
            shares = [part(step, 0, names) for part in parts]
            for index, value in enumerate(whole(step, 0, names)):
                assert torch.equal(torch.cat([share[index] for share in shares]), value)

    def test_a_batch_that_cannot_be_shared(self) -> None:
        with pytest.raises(DataError, match="batch of 6 cannot be shared by 4"):
            Draws(self.paired_spec(), self.pairs(), batch=6, seed=0, device=CPU, world=4)

    def test_unpaired_fields_come_in_orders_of_their_own(self) -> None:
        """Known bug 8: no sample of `a` is tied to one of `b`."""
        spec = TABLE["discogan"]()
        ramp = np.broadcast_to(np.arange(16, dtype=np.uint8)[:, None, None, None], (16, *PIXELS))
        source = Source("ramps", fields("discogan"), {"a": ramp, "b": ramp})
        draws = Draws(spec, source, batch=4, seed=0, device=CPU)

        def samples(name: str, step: int) -> list[int]:
            (value,) = draws(step, 0, (name,))
            return ((value[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()

        pairs = {
            p
            for step in range(40)
            for p in zip(samples("a", step), samples("b", step), strict=True)
        }
        # of 160 draws of 256 pairs, about 119 differ; 16 would, were they tied
        assert len(pairs) > 90

    def test_flips_mirror_what_belongs_together_alike(self) -> None:
        image = Image((1, 2, 4))
        spec = Spec(
            draws={"x": image, "m": image.model_copy(update={"field": "mask"}), "z": Normal(1)},
            networks={"A": Network({"x": (), "m": ()}, (Linear(1),))},
            round=[Update("A", {"a": "mean(A(x, m))", "z": "0 * mean(z)"})],
        )
        x = np.zeros((8, 1, 2, 4), np.uint8)
        x[..., 0] = 255
        held = Fields(fields={"image": image, "mask": image.model_copy(update={"field": "mask"})})
        source = Source("flipped", held, {"image": x, "mask": 255 - x}, flips=True)
        draws = Draws(spec, source, batch=32, seed=0, device=CPU)
        image_, mask = draws(0, 0, ("x", "m"))
        assert torch.equal(image_, -mask)
        left = int((image_[:, 0, 0, 0] == 1).sum())
        assert 6 < left < 26
        assert left + int((image_[:, 0, 0, 3] == 1).sum()) == 32


# -------------------------------------------------------------------------- the schedule


def test_the_moving_average_is_that_of_the_weights() -> None:
    spec = TABLE["dcgan"]()
    run = training(spec, data("dcgan"))
    mine = [p.detach().clone().double() for p in run.networks["G"].parameters()]
    for step in range(6):
        run.round()
        decay = min(0.9, (1 + step) / (10 + step))
        for average, now in zip(mine, run.networks["G"].parameters(), strict=True):
            average.mul_(decay).add_((1 - decay) * now.detach())
    published = list(run.model().networks["G"].parameters())
    for average, found in zip(mine, published, strict=True):
        torch.testing.assert_close(found, average.float(), rtol=1e-5, atol=1e-6)
    live = list(run.networks["G"].parameters())
    assert not any(torch.equal(a, b) for a, b in zip(live, published, strict=True))


def test_batch_statistics_of_an_average_are_its_own() -> None:
    """The published generator normalises by what it itself produces."""
    spec = TABLE["dcgan"]()
    run = training(spec, data("dcgan"))
    for _ in range(4):
        run.round()
    G = run.model().networks["G"]
    z = torch.rand(4000, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        before = G.layers.get_submodule("1")(G.layers.get_submodule("0")(z))
    norm = G.layers.get_submodule("2")
    torch.testing.assert_close(norm.running_mean, before.mean((0, 2, 3)), rtol=0, atol=0.01)
    torch.testing.assert_close(norm.running_var, before.var((0, 2, 3)), rtol=0.2, atol=1e-3)
    assert not G.training and norm.momentum == 0.1


@pytest.mark.parametrize(
    "decay", [None, Decay("linear", 0.5, 0.1), Decay("exponential", 0.2, 0.01)]
)
def test_the_rate_falls_as_declared(decay: Decay | None) -> None:
    """One weight, gradient 1: SGD moves it by the rate itself."""
    spec = Spec(
        draws={"v": Normal(1)},
        networks={"A": Network({"v": ()}, (Linear(1),))},
        round=[Update("A", {"a": "mean(A(v))"}, SGD(0.5, decay=decay))],
        steps=11,
    )
    run = training(spec, nothing())
    bias = run.networks["A"].layers.get_submodule("0").bias
    moved = []
    for _ in range(11):
        before = bias.item()
        run.round()
        moved.append(before - bias.item())
    for number, step in enumerate(moved):
        part = number / 11
        if decay is None or part <= decay.start:
            factor = 1.0
        else:
            share = (part - decay.start) / (1 - decay.start)
            linear = decay.shape == "linear"
            factor = 1 - share * (1 - decay.final) if linear else decay.final**share
        assert step == pytest.approx(0.5 * factor, rel=1e-4)
    if decay:  # the last round learns a little, and the rate would arrive with the next
        assert 0.5 * decay.final < moved[-1] < moved[-2]


@pytest.mark.parametrize(
    "optimizer, reference",
    [
        (
            Adam(0.01, (0.5, 0.9), weight_decay=0.1),
            lambda p: torch.optim.Adam(p, 0.01, (0.5, 0.9), weight_decay=0.1),
        ),
        (RMSprop(0.01, 0.9), lambda p: torch.optim.RMSprop(p, 0.01, 0.9)),
        (SGD(0.01, 0.9, 0.1), lambda p: torch.optim.SGD(p, 0.01, 0.9, weight_decay=0.1)),
    ],
    ids=["adam", "rmsprop", "sgd"],
)
def test_optimizers_are_torchs_own(optimizer: Any, reference: Any) -> None:
    spec = Spec(
        draws={"v": Normal(4)},
        networks={"A": Network({"v": ()}, (Linear(3), Tanh(), Linear(1)))},
        round=[Update("A", {"a": "mean(square(A(v) - 1))"}, optimizer)],
        steps=5,
    )
    run = training(spec, nothing())
    other = training(spec, nothing()).networks["A"]
    optimize = reference(list(other.parameters()))
    for step in range(5):
        run.round()
        (v,) = run.draws(step, 0, ("v",))
        optimize.zero_grad()
        ((other(v) - 1) ** 2).mean().backward()
        optimize.step()
    for ours, theirs in zip(run.networks["A"].parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_updates_of_one_name_share_their_state_across_stages() -> None:
    spec = TABLE["discogan"]().with_steps(6)
    run = training(spec, data("discogan"))
    assert set(run.updaters) == {"D", "G"}
    stages = [run.round() for _ in range(6)]
    assert stages == ["start", "start", "rest", "rest", "rest", "rest"]


# --------------------------------------------------------------------------- repeatable


@pytest.mark.parametrize("spec", [TABLE["dcgan"](), dropping()], ids=["dcgan", "dropout"])
def test_a_seed_says_everything(spec: Spec) -> None:
    def run(seed: int, disturbed: bool = False) -> dict[str, Tensor]:
        run = training(spec, data("dcgan"), seed)
        for step in range(4):
            if disturbed:  # looking at a run does not change it, nor does the caller's randomness
                torch.rand(step + 1)
                run.model()
            run.round()
            if disturbed:
                run.losses()
        return weights(run)

    first = run(0)
    torch.rand(7)
    assert same(first, run(0))
    assert same(first, run(0, disturbed=True))
    assert not same(first, run(1))


def test_dropout_draws_anew_each_step() -> None:
    """Each step seeds the generator by its own number, so masks do not repeat."""
    spec = dropping()
    run = training(spec, data("dcgan"))
    states = []
    for _ in range(3):
        run.round()
        states.append(torch.rand(4).tolist())
    assert len({tuple(state) for state in states}) == 3


# ---------------------------------------------------------------------------- refusals


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    kept, good = None, {}
    steps = train(diverging(), nothing(), precision="fp32", batch=8)
    with pytest.raises(NonFiniteError) as caught:
        for step in steps:
            assert all(math.isfinite(v) for v in step.losses().values())
            good = weights(step.training)
            if step.number % 2 == 1:
                kept = step.save(tmp_path / f"{step.number}.safetensors")
    error = caught.value
    assert error.term == "train.A.wild"
    assert error.step == step.number + 1
    assert error.checkpoint == str(kept)
    assert str(kept) in str(error) and "'train.A.wild'" in str(error)
    # A and its optimizer stayed as they were; the step of the bad gradient was not made
    now = weights(step.training)
    for key in good:
        if "/A/" in key:
            assert torch.equal(good[key], now[key])


def test_weights_that_are_not_finite_are_never_the_last_good_ones(tmp_path: Path) -> None:
    """A finite loss can have an infinite gradient, of which only the next step tells."""
    run = training(TABLE["gan"](), data("gan"))
    run.round()
    good = run.save(tmp_path / "good")
    with torch.no_grad():
        next(run.networks["G"].parameters())[0, 0] = math.inf
    with pytest.raises(NonFiniteError) as caught:
        run.save(tmp_path / "bad")
    assert caught.value.checkpoint == str(good)
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_without_a_checkpoint_the_error_says_so() -> None:
    with pytest.raises(NonFiniteError, match="no checkpoint had been written") as caught:
        list(train(diverging(), nothing(), precision="fp32", batch=8))
    assert caught.value.checkpoint is None


def test_shapes_are_checked_before_the_first_batch() -> None:
    spec = TABLE["gan"]()
    wrong = Network({"z": ()}, (Linear(63), Tanh(), Reshape(PIXELS)))
    spec = spec.model_copy(update={"networks": {**spec.networks, "G": wrong}})
    with pytest.raises(ShapeError, match=r"networks\.G\.layers\.2.*reshape"):
        train(spec, data("gan"))


def test_a_field_that_the_data_lack() -> None:
    with pytest.raises(DataError, match=r"draw 'y' needs the field 'label'.*has 'image'"):
        train(TABLE["cgan"](), data("gan"))


def test_a_field_of_another_size() -> None:
    source = Source.from_arrays("small", np.zeros((4, 1, 6, 6), np.uint8))
    with pytest.raises(DataError, match=r"draw 'x' is .*8, 8.*'small' is .*6, 6"):
        train(TABLE["gan"](), source)


def test_too_few_steps_for_the_stages() -> None:
    with pytest.raises(ValueError, match="1 steps are too few for 2 stages"):
        train(TABLE["stackgan"](), data("stackgan"), steps=1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Path]:
    run = training(TABLE["dcgan"](), data("dcgan"))
    run.round()
    yield run.save(tmp_path / "checkpoint.safetensors")


def test_a_run_goes_on_with_its_own_seed_and_batch(checkpoint: Path) -> None:
    for wrong in ({"seed": 1}, {"batch": 2}):
        word = next(iter(wrong))
        with pytest.raises(TrainingError, match=f"was trained with {word}"):
            train(TABLE["dcgan"](), data("dcgan"), resume=checkpoint, **wrong)
    other = TABLE["wgan"]()
    with pytest.raises(TrainingError, match="was trained with Spec"):
        train(other, data("wgan"), resume=checkpoint)
    longer = train(TABLE["dcgan"](), data("dcgan"), steps=999, resume=checkpoint)
    assert next(longer).total == 999, "its rounds are the same however many there are"


def test_a_schedule_that_depends_on_its_length_has_one_length(tmp_path: Path) -> None:
    for row in ("cdcgan", "discogan"):  # a rate that decays, and two stages
        run = training(TABLE[row](), data(row))
        run.round()
        path = run.save(tmp_path / f"{row}.safetensors")
        with pytest.raises(TrainingError, match="was trained with Spec"):
            train(TABLE[row](), data(row), steps=999, resume=path)


def test_a_checkpoint_that_is_none(checkpoint: Path, tmp_path: Path) -> None:
    spec, source = TABLE["dcgan"](), data("dcgan")
    content = checkpoint.read_bytes()
    for name, broken in (
        ("garbage", b"not a checkpoint" * 99),
        ("empty", b""),
        ("cut", content[: len(content) // 2]),
        ("foreign", _foreign()),
    ):
        path = tmp_path / name
        path.write_bytes(broken)
        with pytest.raises(TrainingError, match="is not a checkpoint of ganzoo"):
            train(spec, source, resume=path)
    with pytest.raises(TrainingError, match="no checkpoint at"):
        train(spec, source, resume=tmp_path / "nowhere")


def _foreign() -> bytes:
    from safetensors.torch import save

    return save({"weight": torch.zeros(3)}, metadata={"format": "pt"})
