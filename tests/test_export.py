"""Exported tasks answer in other runtimes as the model does, and say what they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli import app
from ganzoo.errors import DataError, TaskError
from ganzoo.export import files
from ganzoo.export.contract import contract
from ganzoo.export.function import TaskFunction, example
from ganzoo.metrics.evaluation import untrained
from ganzoo.models.config import Threshold
from ganzoo.models.model import Model
from ganzoo.models.task_inputs import sample_noise
from ganzoo.spec import (
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    OneHot,
    Reshape,
    Tanh,
    Task,
    Update,
)
from ganzoo.spec import files as spec_files
from tests.builders import gan

if not all(map(find_spec, ("onnx", "onnxscript", "onnxruntime"))):
    pytest.skip("no ONNX here: pip install 'ganzoo-core[export]'", allow_module_level=True)

CARDS = Path(__file__).parents[1] / "model_cards"


def telling() -> list[str]:
    """Published models that bring a kind of task, layer or join which none before them has."""
    found, known = list[str](), set[str]()
    for path in sorted(CARDS.glob("*/config.json")):
        words = set(re.findall(r'"(?:kind|join)": "(\w+)"', path.read_text("utf-8")))
        if words - known:
            found.append(path.parent.name)
            known |= words
    return found


@pytest.fixture(scope="module")
def model() -> Model:
    """Of two classes, with a number, a score with a threshold and a map, and a search."""
    spec = gan(
        draws={"x": Image((1, 8, 8)), "y": Label(2, names=("cat", "dog")), "z": Normal(4)},
        networks={
            "G": Network({"z": (), "y": [OneHot(2)]}, [Linear(64), Tanh(), Reshape((1, 8, 8))]),
            "D": Network({"x": ()}, [Flatten(), Linear(16), Tanh(), Linear(1)]),
        },
        let={"fake": "G(z, y)"},
        round=[
            Update("D", {"real": "mean(softplus(-D(x)))", "fake": "mean(softplus(D(fake)))"}),
            Update("G", {"fool": "mean(softplus(-D(fake)))"}),
        ],
        tasks={
            "generate": Task("generate", "G(psi * z, y)", numbers={"psi": 0.7}),
            "strange": Task("score", "softplus(D(x))", map="abs(x - G(z, y))"),
            "found": Task("generate", "G(z, y)", solve=("z",), minimize="square(D(fake))", steps=2),
        },
    )
    made = untrained(Model(spec, {}))
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    values = made.score(images, label=0).values
    threshold = Threshold(value=float(np.quantile(values, 0.5)), quantile=0.5, images=64)
    made.config = made.config.replace(name="tiny", thresholds={"strange": threshold})
    return made


def session(content: bytes) -> object:
    from onnxruntime import InferenceSession

    return InferenceSession(content)


def answers(content: bytes, values: dict[str, torch.Tensor]) -> list[np.ndarray]:
    """What onnxruntime gives for them; inputs that a task does not need are left out."""
    made = session(content)
    known = {one.name for one in made.get_inputs()}  # type: ignore[attr-defined]
    assert known == {*values}
    return made.run(None, {k: v.numpy() for k, v in values.items()})  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", telling())
def test_published_models_answer_in_onnxruntime_as_in_torch(name: str) -> None:
    """A task of each kind; `scripts/exports.py` asks all tasks of all models, in some minutes."""
    loaded = ganzoo.from_pretrained(CARDS / name)
    kinds = {task.kind: key for key, task in reversed(loaded.spec.tasks.items())}
    for key in kinds.values():
        content = files.onnx(loaded, key)
        function = TaskFunction(loaded, loaded.spec.tasks[key])
        for batch in (1, 5):
            values = example(function.takes, batch)
            with torch.no_grad():
                wanted = function(*values.values())
            for ours, theirs in zip(wanted, answers(content, values), strict=True):
                if ours.dtype == torch.bool:
                    assert np.array_equal(theirs, ours.numpy()), key
                else:
                    scale = max(1.0, float(ours.abs().max()))
                    assert np.abs(theirs - ours.numpy()).max() < 1e-4 * scale, key


@pytest.mark.parametrize("name, task", [
    ("mgan", "generate"), ("stargan-v2", "to_class"), ("munit", "to_b"), ("glcic", "fill"),
])  # fmt: skip
def test_choices_styles_and_masks_are_exported_for_any_batch(name: str, task: str) -> None:
    """Their shapes follow the batch: a length taken as a number fixed it, and the export failed."""
    spec = spec_files.read(Path(__file__).parent / "specs" / f"{name}.yaml")
    made = untrained(Model(spec, {}))
    content, function = files.onnx(made, task), TaskFunction(made, made.spec.tasks[task])
    for batch in (1, 5):
        values = example(function.takes, batch)
        with torch.no_grad():
            (wanted,) = function(*values.values())
        assert np.abs(answers(content, values)[0] - wanted.numpy()).max() < 1e-4


def test_a_file_draws_what_the_model_draws(model: Model) -> None:
    """Through the public API on one side, and the contract on the other."""
    content = files.onnx(model, "generate")
    noise = sample_noise(Normal(4), 6, 11, "z")
    classes = torch.tensor([0, 1, 0, 1, 1, 1])
    values = {"y": classes, "z": noise, "psi": torch.tensor(0.5)}
    (images,) = answers(content, values)
    wanted = model.generate(6, seed=11, label=classes.tolist(), psi=0.5, output="pt")
    assert np.abs(images - wanted.numpy()).max() < 1e-5
    # the number is one that matters
    assert np.abs(answers(content, {**values, "psi": torch.tensor(1.0)})[0] - images).max() > 1e-3


def test_verdicts_are_the_models(model: Model) -> None:
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    values = {"x": images, "y": torch.zeros(64, dtype=torch.int64), "z": torch.zeros(64, 4)}
    scores, verdicts, maps = answers(files.onnx(model, "strange"), values)
    wanted = model.score(images, label=0, maps=True)
    assert np.abs(scores - wanted.values).max() < 1e-5
    assert wanted.is_anomaly is not None and 0 < verdicts.sum() < 64
    assert np.array_equal(verdicts, wanted.is_anomaly) and maps.shape == (64, 8, 8)


def test_a_file_says_what_it_is(model: Model) -> None:
    import onnx

    proto = onnx.load_from_string(files.onnx(model, "strange"))
    found = {entry.key: entry.value for entry in proto.metadata_props}
    facts = json.loads(found["ganzoo.json"])
    assert facts == json.loads(json.dumps(contract(model, "strange")))
    assert [one["name"] for one in facts["inputs"]] == [one.name for one in proto.graph.input]
    assert [one["name"] for one in facts["outputs"]] == [one.name for one in proto.graph.output]
    image, label, noise = facts["inputs"]
    assert image["range"] == [0, 1] and image["shape"] == ["batch", 1, 8, 8]
    assert label["names"] == ["cat", "dog"] and noise["drawn"]
    assert facts["outputs"][1]["threshold"] == model.thresholds["strange"]
    assert facts["preprocessing"] == {"fit": "crop", "filter": "lanczos", "background": "white"}
    sides = proto.graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_param or side.dim_value for side in sides] == ["batch", 1, 8, 8]
    # neither paths of this machine nor the exporter's notes
    assert b"/ganzoo/" not in proto.SerializeToString()
    assert not [node for node in proto.graph.node if node.metadata_props]


def test_an_archive_of_torch_loads_without_ganzoo(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "generate.pt2"
    path.write_bytes(files.archive(model, "generate"))
    noise = sample_noise(Normal(4), 3, 0, "z")
    torch.save(noise, tmp_path / "z.pt")
    code = (
        "import json, sys, torch\n"
        "class Refused:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0].startswith('ganzoo'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refused())\n"
        "said = {'ganzoo.json': ''}\n"
        "task = torch.export.load(sys.argv[1], extra_files=said).module()\n"
        "facts = json.loads(said['ganzoo.json'])\n"
        "assert [one['name'] for one in facts['inputs']] == ['y', 'z', 'psi']\n"
        "z = torch.load(sys.argv[2])\n"
        "(images,) = task(torch.tensor([0, 1, 1]), z, torch.tensor(0.7))\n"
        "torch.save(images, sys.argv[3])\n"
    )
    names = [path, tmp_path / "z.pt", tmp_path / "images.pt"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, names)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = model.generate(3, label=[0, 1, 1], output="pt")
    assert (torch.load(tmp_path / "images.pt") - wanted).abs().max() < 1e-5


def test_what_searches_is_left_out_and_said(model: Model, tmp_path: Path) -> None:
    places = files.places(model, "torch", tmp_path / "new")
    assert [*places] == ["generate", "strange", "found"]
    made = {one.task: one for one in files.write(model, "torch", places)}
    assert made["generate"].path == tmp_path / "new" / "generate.pt2"
    assert made["found"].path is None and "searches for z in 2 steps" in made["found"].reason
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"generate.pt2", "strange.pt2"}


def test_places_that_do_not_fit(model: Model, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 3 tasks .*a file each; give a folder, or --task"):
        files.places(model, "onnx", tmp_path / "x.onnx")
    with pytest.raises(TaskError, match=r"no task 'generat'; did you mean 'generate'\?"):
        files.places(model, "onnx", tmp_path, ["generat"])
    assert files.places(model, "onnx", tmp_path / "x.onnx", ["strange"]) == {
        "strange": tmp_path / "x.onnx"
    }


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "digits.onnx"
    model = str(CARDS / "cdcgan-mnist")
    done = CliRunner().invoke(app, ["export", model, "--to", "onnx", "-o", str(path)])
    assert done.exit_code == 0 and f"generate: {path}, " in done.output.replace("\n", "")
    wanted = ganzoo.from_pretrained(model).generate(2, seed=5, label=[3, 4], output="pt")
    noise = sample_noise(Normal(100), 2, 5, "z")
    (images,) = answers(path.read_bytes(), {"y": torch.tensor([3, 4]), "z": noise})
    assert np.abs(images - wanted.numpy()).max() < 1e-4
    done = CliRunner().invoke(app, ["export", model, "--to", "onx"])
    assert "did you mean 'onnx'?" in str(done.exception)
