"""docs/papers.md: every paper there is a Spec, and trains as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from ganzoo.data.source import Source
from ganzoo.engine.training import Training
from ganzoo.spec import Fields, Image, Spec, files
from ganzoo.testing import noise

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```yaml\n# (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAPERS = dict(BLOCK.findall((DOCS / "papers.md").read_text()))
LONGEST = {"r3gan.yaml": 60, "stylegan2.yaml": 100}


def spec_of(name: str, folder: Path) -> Spec:
    path = folder / name
    path.write_text(PAPERS[name])
    return files.read(path)


def data_for(spec: Spec) -> Source:
    """Noise of 32 pixels with the fields that the Spec draws, in pairs where it draws pairs."""
    whole = noise(32, 3, classes=10)
    drawn = {draw.field: draw for draw in spec.data_draws().values()}
    fields = {
        field: draw.replace(field=field) if isinstance(draw, Image) else whole.fields[field]
        for field, draw in drawn.items()
    }
    rows = min(whole.length(field) for field in drawn)
    arrays = {field: whole._array(field)[:rows] for field in drawn}
    return Source("noise", Fields(name="noise", fields=fields), arrays)


def test_there_are_ten_and_each_has_its_paper() -> None:
    assert len(PAPERS) == 10
    text = (DOCS / "papers.md").read_text()
    for name, block in PAPERS.items():
        assert re.search(r"^source: arXiv:\d{4}\.\d{5}$", block, re.MULTILINE), name
    for section in text.split("\n## ")[1:]:
        assert "arxiv.org/abs/" in section.split("```")[0], section[:30]


@pytest.mark.parametrize("name", LONGEST)
def test_it_stays_short(name: str) -> None:
    assert len(PAPERS[name].splitlines()) <= LONGEST[name]


@pytest.mark.parametrize("name", PAPERS)
def test_it_trains_and_answers(name: str, tmp_path: Path) -> None:
    """Two rounds, and one of each kind that comes in the first few; then its tasks."""
    spec = spec_of(name, tmp_path)
    data = data_for(spec)
    run = Training(
        spec.with_steps(4), data, batch=4, seed=0, device=torch.device("cpu"), precision="fp32"
    )
    before = {
        f"{net}.{key}": weight.clone()
        for net, module in run.networks.items()
        for key, weight in module.named_parameters()
    }
    for _ in range(2):
        run.round()
    still = {
        key
        for key, weight in before.items()
        if torch.equal(run.networks[key.split(".")[0]].get_parameter(key.partition(".")[2]), weight)
    }
    # StyleGAN2's path length and the noise's strength begin at what has no gradient yet
    assert not {key.split(".")[0] for key in before} - {
        key.split(".")[0] for key in before.keys() - still
    }, still
    model = run.model(batches=1)
    image = data.batch(next(iter(data.fields.fields)), torch.arange(2)).add(1).div(2)
    for task in spec.tasks.values():
        match task.kind:
            case "generate":
                given = {"label": 3} if "y" in spec.draws_of(task) else {}
                assert model.generate(2, output="pt", **given).shape == (2, 3, 32, 32)
            case "translate":
                field = next(d.field for n, d in spec.draws.items() if n in spec.draws_of(task)
                             and isinstance(d, Image))  # fmt: skip
                image = data.batch(field, torch.arange(2)).add(1).div(2)
                assert model.translate(image, to=task.to, output="pt").shape == (2, 3, 32, 32)
            case "score":
                assert model.score(image).values.shape == (2,)
            case "encode":
                assert model.encode(image).shape[0] == 2
            case _:
                assert model.reconstruct(image, output="pt").shape == (2, 3, 32, 32)
