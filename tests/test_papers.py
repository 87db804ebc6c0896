"""Papers as Specs: those of docs/papers.md and of tests/specs train as they stand, and answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.models.model import Model
from ganzoo.spec import Fields, Image, Spec, Task, files
from ganzoo.testing import noise

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
BLOCK = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAPERS: dict[str, str] = dict(BLOCK.findall((DOCS / "papers.md").read_text()))
FIELD = {path.name: path.read_text() for path in sorted((HERE / "specs").glob("*.yaml"))}
LONGEST = {"r3gan.yaml": 60, "stylegan2.yaml": 100}


def image_of(spec: Spec) -> Image:
    return next(draw for draw in spec.data_draws().values() if isinstance(draw, Image))


def data_for(spec: Spec) -> Source:
    """Noise with the fields that the Spec draws, in pairs where it draws pairs."""
    channels, size, _ = image_of(spec).shape
    classes = [draw.classes for draw in spec.data_draws().values() if draw.kind == "label"]
    whole = noise(size, channels, classes=[*classes, 3][0])
    drawn = {draw.field: draw for draw in spec.data_draws().values()}
    fields = {
        field: draw.replace(field=field) if field in "ab" else whole.fields[field]
        for field, draw in drawn.items()
    }
    rows = min(whole.length(field) for field in drawn)
    arrays = {field: whole._array(field)[:rows] for field in drawn}
    return Source("noise", Fields(name="noise", fields=fields), arrays)


def answers(model: Model, name: str, task: Task, data: Source) -> None:
    """A task gives what its kind promises."""
    spec = model.spec
    shape = (2, *image_of(spec).shape)
    read = [spec.draws[draw] for draw in spec.draws_of(task)]
    fields = [draw.field for draw in read if isinstance(draw, Image)]
    images = data.batch(fields[0], torch.arange(2)).add(1).div(2) if fields else None
    match task.kind:
        case "generate":
            given = {"label": 1} if any(draw.kind == "label" for draw in read) else {}
            assert model.generate(2, task=name, output="pt", **given).shape == shape
        case "translate":
            assert model.translate(images, to=task.to, output="pt").shape == shape
        case "score":
            assert model.score(images).values.shape == (2,)
        case "encode" | "classify":
            assert getattr(model, task.kind)(images).shape[0] == 2
        case _:
            assert model.reconstruct(images, output="pt").shape == shape


@pytest.mark.parametrize("name", [*PAPERS, *FIELD])
def test_it_trains_and_answers(name: str, tmp_path: Path) -> None:
    """Two rounds of each stage move every network that learns; then each task is asked."""
    path = tmp_path / name
    path.write_text({**FIELD, **PAPERS}[name])
    spec = files.read(path)
    spec = spec.with_steps(2 * len(spec.stages))
    data = data_for(spec)
    run = Training(spec, data, batch=4, seed=0, device=torch.device("cpu"), precision="fp32")
    before: dict[str, dict[str, Tensor]] = {
        name: {key: weight.clone() for key, weight in net.named_parameters()}
        for name, net in run.networks.items()
    }
    while run.step < spec.steps:
        run.round()
    learn = {name for stage in spec.stages for update in stage.updates for name in update.train}
    for net, weights in before.items():
        moved = any(
            not torch.equal(run.networks[net].get_parameter(key), weight)
            for key, weight in weights.items()
        )
        assert moved == (net in learn), net
    model = run.model(batches=1)
    for task_name, task in spec.tasks.items():
        answers(model, task_name, task, data)


def test_there_are_ten_and_each_has_its_paper() -> None:
    assert len(PAPERS) == 10
    text = (DOCS / "papers.md").read_text()
    for name, block in PAPERS.items():
        assert re.search(r"^source: arXiv:\d{4}\.\d{4,5}$", block, re.MULTILINE), name
    for section in text.split("\n## ")[1:]:
        assert "arxiv.org/abs/" in section.split("```")[0], section[:30]


@pytest.mark.parametrize("name", LONGEST)
def test_it_stays_short(name: str) -> None:
    assert len(PAPERS[name].splitlines()) <= LONGEST[name]
