"""The index of a sample as a draw: what is learned for each sample, such as the codes of GLO."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.data.source import Source
from ganzoo.engine import train
from ganzoo.engine.draws import Draws, check_names, with_names
from ganzoo.engine.training import Training
from ganzoo.errors import DataError, SpecError
from ganzoo.spec import Label, Spec, files
from ganzoo.spec.latex import text
from ganzoo.spec.variant import Fields
from ganzoo.testing import noise
from tests.builders import data_of
from tests.by_hand import agree, only
from tests.reference import Loop
from tests.table import TABLE, arrays

GLO = files.read(Path(__file__).parent / "specs" / "glo.yaml")
CPU = torch.device("cpu")


@pytest.fixture
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def changed(**changes: Any) -> Spec:
    return Spec.from_dict({**GLO.to_dict(), **changes})


def test_an_index_says_which_samples_there_are() -> None:
    """In two processes, over several passes through the data, and of a selection of them."""
    source = only(GLO, noise()).select(torch.arange(20).flip(0))
    whole = Draws(GLO, source, batch=8, seed=3, device=CPU)
    halves = [Draws(GLO, source, batch=8, seed=3, device=CPU, rank=r, world=2) for r in (0, 1)]
    seen: list[Tensor] = []
    for step in range(5):
        x, i = whole(step, 0, ("x", "i"))
        assert torch.equal(source.batch("image", i), x)
        assert torch.equal(torch.cat([d(step, 0, ("i",))[0] for d in halves]), i)
        seen.append(i)
    assert sorted(torch.cat(seen)[:20].tolist()) == list(range(20))


def test_it_is_data() -> None:
    assert Spec.from_json(GLO.to_json()) == GLO
    assert "index, one of at most 24 samples" in text(GLO)


def test_more_samples_than_the_spec_says() -> None:
    draws = {**GLO.to_dict()["draws"], "i": {"kind": "index", "samples": 23}}
    with pytest.raises(DataError, match="one of 23 samples, and data set 'noise' has 24"):
        Draws(changed(draws=draws), only(GLO, noise()), batch=4, seed=0, device=CPU)
    with pytest.raises(DataError, match="there are none"):
        Draws(GLO, None, batch=4, seed=0, device=CPU)


def test_more_samples_than_are_embedded() -> None:
    draws = {**GLO.to_dict()["draws"], "i": {"kind": "index", "samples": 25}}
    spec = changed(draws=draws)
    with pytest.raises(Exception, match="labels of 25 classes arrive, and it has 24"):
        Training(spec, only(GLO, noise()), batch=4, seed=0, device=CPU)


def test_a_task_has_no_samples() -> None:
    with pytest.raises(SpecError, match=r"'i' counts the samples of training"):
        changed(tasks={"generate": "G(Z(i))"})


def glo(loop: Loop) -> None:
    x, i = loop.draw(0, "x"), loop.draw(0, "i")

    def small(values: Tensor) -> Tensor:
        return F.interpolate(values, (8, 8), mode="bilinear", antialias=False)

    def fine(values: Tensor) -> Tensor:
        return values - F.interpolate(small(values), (16, 16), mode="bilinear", antialias=False)

    code = loop.nets["Z"](i)
    recon = loop.nets["G"](code)
    loss = (small(recon) - small(x)).abs().mean() + (fine(recon) - fine(x)).abs().mean()
    loop.learn_together([("G", "G", loss), ("Z", "Z", loss)])


@pytest.mark.usefixtures("float64")
def test_glo_by_hand() -> None:
    agree(GLO, [glo] * 3)


@pytest.mark.parametrize("graph", [False, True])
def test_codes_resume_to_the_bit(tmp_path: Path, graph: bool) -> None:
    def run(first: int, last: int) -> dict[str, Tensor]:
        training = Training(GLO, only(GLO, noise()), batch=4, seed=0, device=CPU, graph=graph)
        if first:
            training.load(tmp_path / "half")
        for _ in range(first, last):
            training.round()
        training.save(tmp_path / ("half" if last == 3 else "end"))
        return {k: v.clone() for k, v in training.networks["Z"].state_dict().items()}

    whole = run(0, 6)
    run(0, 3)
    resumed = run(3, 6)
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_only_the_codes_of_the_batch_move() -> None:
    training = Training(GLO, only(GLO, noise()), batch=4, seed=0, device=CPU)
    before = next(training.networks["Z"].parameters()).detach().clone()
    training.round()
    moved = (next(training.networks["Z"].parameters()) != before).any(1)
    i = Draws(GLO, only(GLO, noise()), batch=4, seed=0, device=CPU)(0, 0, ("i",))[0]
    assert sorted(moved.nonzero().flatten().tolist()) == sorted(i.tolist())


# ---------------------------------------------------------------------------- names of classes


def labelled(names: tuple[str, ...] = ()) -> Source:
    source = data_of("cgan")
    held = {**source.fields.fields, "label": source.fields.label.replace(names=names)}
    return Source("named", Fields(fields=held), arrays(TABLE["cgan"]()))


def test_a_model_takes_the_classes_by_the_names_of_the_data(tmp_path: Path) -> None:
    """The Spec of the run stays as it was given, so that older checkpoints are continued."""
    spec = TABLE["cgan"]()
    classes = draw_of(spec).classes
    names = tuple(f"class {number}" for number in range(classes))
    path = tmp_path / "checkpoint"
    for step in train(spec, labelled(names), steps=4, seed=1, device="cpu"):
        if step.number == 2:
            step.save(path)
            # one that was saved where the data had no names
            [*train(spec, labelled(), steps=4, seed=1, device="cpu", resume=path)]
    model = step.model()
    assert draw_of(model.spec).names == draw_of(model.config.spec).names == names
    assert step.training.spec == spec.with_steps(4) and not draw_of(spec).names
    found = model.generate(label="class 1", output="np")
    assert (found == model.generate(label=1, output="np")).all()


def test_names_of_a_spec_are_those_of_the_data_in_their_order() -> None:
    spec = TABLE["cgan"]()
    draw = draw_of(spec)
    names = tuple(f"class {number}" for number in range(draw.classes))
    ours = spec.replace(draws={**spec.draws, "y": draw.replace(names=names)})
    check_names(ours, labelled(names).fields)
    check_names(ours, labelled().fields)
    assert with_names(ours, labelled(names[::-1]).fields) == ours
    with pytest.raises(DataError, match=r"draws\.y\.names: class 0, .* in this order, class"):
        train(ours, labelled(names[::-1]), device="cpu")
    with pytest.raises(SpecError, match=r"names: 1 name for .* classes; name each, or none"):
        draw.replace(names=("a",))


def draw_of(spec: Spec) -> Label:
    draw = spec.draws["y"]
    assert isinstance(draw, Label)
    return draw
