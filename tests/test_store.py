"""Model folders: there and back, and every way in which one can be wrong."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from ganzoo import hub
from ganzoo.errors import IntegrityError, SpecError, StoreError, UnknownNameError
from ganzoo.models import store
from ganzoo.models.model import Model
from tests.builders import model_of
from tests.table import TABLE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store.save(model_of("dcgan"), tmp_path / "model", name="tiny")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change config.json."""
    path = folder / store.CONFIG
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def replace_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors, with a hash that agrees."""
    path = folder / store.WEIGHTS
    tensors = from_bytes(path.read_bytes())
    change(tensors)
    path.write_bytes(to_bytes(tensors))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(folder, lambda config: config["weights"].update(sha256=digest))


# ------------------------------------------------------------------------ there and back


def answers(model: Model) -> dict[str, np.ndarray]:
    """What a model says to all its tasks."""
    inputs: dict[str, Any] = {}
    for draw in model.spec.data_draws().values():
        match draw.kind:
            case "image":
                channels, height, width = draw.shape
                image = np.random.default_rng(0).random((3, height, width, channels), np.float32)
                inputs["image"] = image
            case "label":
                inputs["label"] = [0, 1, 2]
            case _:
                inputs["text"] = np.random.default_rng(1).standard_normal((3, draw.size))
    found: dict[str, np.ndarray] = {}
    for name, task in model.spec.tasks.items():
        match task.kind:
            case "generate":
                needed = {model.spec.draws[n].kind for n in model.spec.draws_in(task.output)}
                given = {k: v for k, v in inputs.items() if k in needed}
                found[name] = model.generate(3, seed=4, output="np", **given)
            case "translate":
                found[name] = model.translate(inputs["image"], to=task.to, output="np")
            case "reconstruct":
                found[name] = model.reconstruct(inputs["image"], output="np")
            case "score":
                found[name] = model.score(inputs["image"]).values
            case kind:
                found[name] = getattr(model, kind)(inputs["image"])
    return found


@pytest.mark.parametrize("row", TABLE)
def test_a_model_comes_back_the_same(row: str, tmp_path: Path) -> None:
    model = model_of(row)
    model.save_pretrained(tmp_path / "model")
    loaded = store.load(tmp_path / "model")
    assert loaded.spec == model.spec
    before, after = answers(model), answers(loaded)
    assert before.keys() == after.keys() and before
    for task, value in before.items():
        np.testing.assert_array_equal(value, after[task])
        assert value.std() > 1e-3  # not a constant that everything would equal


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_close_and_half_as_large(dtype: Any, tmp_path: Path) -> None:
    model = model_of("gan")
    whole = store.save(model, tmp_path / "whole")
    half = store.save(model, tmp_path / "half", dtype=dtype)
    sizes = [(path / store.WEIGHTS).stat().st_size for path in (half, whole)]
    assert sizes[0] < 0.65 * sizes[1]
    loaded = store.load(half)
    assert all(p.dtype == torch.float32 for p in loaded.networks["G"].parameters())
    ours, theirs = (m.generate(8, output="np") for m in (model, loaded))
    np.testing.assert_allclose(ours, theirs, atol=0.01 if dtype == "float16" else 0.06)
    assert json.loads((half / store.CONFIG).read_text())["weights"]["dtype"] == dtype


def test_what_the_folder_says(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [store.CONFIG, store.WEIGHTS]
    config = json.loads((folder / store.CONFIG).read_text())
    assert list(config)[:4] == ["format_version", "library", "library_version", "name"]
    assert config["name"] == "tiny" and config["format_version"] == 1
    assert config["spec"]["tasks"] == {
        "generate": {
            "kind": "generate",
            "output": "G(z)",
            "map": None,
            "quantile": None,
            "to": None,
            "of": None,
            "numbers": {},
            "solve": [],
            "minimize": None,
            "steps": 200,
            "optimizer": None,
        }
    }
    content = (folder / store.WEIGHTS).read_bytes()
    assert config["weights"]["sha256"] == hashlib.sha256(content).hexdigest()
    loaded = store.load(folder)
    assert loaded.config.name == loaded.title == "tiny"


def test_only_the_networks_of_the_tasks_travel(folder: Path) -> None:
    names = from_bytes((folder / store.WEIGHTS).read_bytes())
    assert {name.split(".")[0] for name in names} == {"G"}


def test_saved_again_after_loading(folder: Path, tmp_path: Path) -> None:
    again = store.save(store.load(folder), tmp_path / "again", data={"name": "digits"})
    one, other = (json.loads((f / store.CONFIG).read_text()) for f in (folder, again))
    assert other == {**one, "data": {"name": "digits"}}
    assert (again / store.WEIGHTS).read_bytes() == (folder / store.WEIGHTS).read_bytes()


def test_loading_imports_no_plugin_and_no_host(folder: Path) -> None:
    code = (
        "import sys\n"
        "from ganzoo.models import store\n"
        f"images = store.load({str(folder)!r}).generate(2)\n"
        "assert len(images) == 2\n"
        "loaded = [m for m in sys.modules if m == 'ganzoo.plugins.host' or m[:7] == 'ganzoo_']\n"
        "assert not loaded\n"
        "assert 'pluggy' not in sys.modules and 'pickle' not in vars(store)\n"
        # torch brings it with its first operation without numbers; it costs a second
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)


# ------------------------------------------------------------------------------- saving


def test_what_is_there_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    model = model_of("gan")
    with pytest.raises(StoreError, match="holds a model already"):
        store.save(model, folder)
    assert store.load(folder).spec.title == "DCGAN"
    store.save(model, folder, overwrite=True)
    assert store.load(folder).spec.title == "GAN"
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"cat")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="holds other files and no model"):
            store.save(model, foreign, overwrite=overwrite)
    assert [path.name for path in foreign.iterdir()] == ["cat.jpg"]
    with pytest.raises(StoreError, match="is a file"):
        store.save(model, foreign / "cat.jpg", overwrite=True)
    (tmp_path / "empty").mkdir()
    assert store.load(store.save(model, tmp_path / "empty")).spec.title == "GAN"


def test_a_save_that_fails_leaves_nothing_half_written(folder: Path) -> None:
    """No room for the weights: the system refuses to write so large a file."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            store.save(model_of("gan"), folder, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    store.load(folder)


# ------------------------------------------------------------------- what can be wrong


def test_a_flipped_bit(folder: Path) -> None:
    path = folder / store.WEIGHTS
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged or a different one"):
        store.load(folder)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_weights_cut_short(folder: Path, size: int) -> None:
    path = folder / store.WEIGHTS
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(IntegrityError):
        store.load(folder)


def test_weights_that_are_not_there(folder: Path) -> None:
    (folder / store.WEIGHTS).unlink()
    with pytest.raises(StoreError, match=r"model\.safetensors cannot be read"):
        store.load(folder)


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    path = folder / store.WEIGHTS
    path.write_bytes(b"something else entirely" * 9)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(folder, lambda config: config["weights"].update(sha256=digest))
    with pytest.raises(StoreError, match="is not a safetensors file"):
        store.load(folder)


def test_a_tensor_too_few(folder: Path) -> None:
    replace_weights(folder, lambda tensors: tensors.pop("G.layers.0.weight"))
    with pytest.raises(StoreError, match=r"missing 'G\.layers\.0\.weight', unknown none"):
        store.load(folder)


def test_a_tensor_too_many(folder: Path) -> None:
    replace_weights(folder, lambda tensors: tensors.update(extra=torch.zeros(1)))
    with pytest.raises(StoreError, match="missing none, unknown 'extra'"):
        store.load(folder)


def test_a_tensor_of_another_shape(folder: Path) -> None:
    wrong = {"G.layers.0.weight": torch.zeros(6, 24)}
    replace_weights(folder, lambda tensors: tensors.update(wrong))
    with pytest.raises(StoreError, match=r"G\.layers\.0\.weight is \(6, 24\).*\(24, 6\)"):
        store.load(folder)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda c: c.update(format_version=2),
            "has format 2.*reads up to 1.*pip install --upgrade",
        ),
        (lambda c: c.update(format_version="1"), "format_version '1' is unknown"),
        (lambda c: c.update(format_version=0), "format_version 0 is unknown"),
        (lambda c: c.pop("format_version"), "format_version None is unknown"),
        (lambda c: c.pop("library"), "is not a config of ganzoo"),
        (lambda c: c.pop("weights"), "does not name the sha256"),
        (lambda c: c.update(weights=[1]), "does not name the sha256"),
    ],
)
def test_configs_that_are_none(folder: Path, change: Any, message: str) -> None:
    rewrite(folder, change)
    with pytest.raises(StoreError, match=message):
        store.load(folder)


@pytest.mark.parametrize(
    "change, path",
    [
        (lambda c: c.pop("spec"), "spec"),
        (lambda c: c["spec"]["networks"]["G"]["layers"][0].update(units=-1),
         "spec.networks.G.layers.0.units"),
        (lambda c: c["spec"].update(surprise=1), "spec"),
        (lambda c: c["spec"]["tasks"]["generate"].update(output="__import__('os')"),
         "spec.tasks.generate.output"),
    ],
)  # fmt: skip
def test_a_spec_that_breaks_the_language(folder: Path, change: Any, path: str) -> None:
    rewrite(folder, change)
    with pytest.raises(SpecError) as caught:
        store.load(folder)
    assert [where for where, _ in caught.value.problems] == [path]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[]", "is not a config of ganzoo"),
        ('{"library": "ganzoo", "library": "ganzoo"}', "duplicate key 'library'"),
        ('{"library": "ganzoo", "format_version": NaN}', "NaN is not a finite number"),
        ('{"model_type": "bert"}', "is not a config of ganzoo"),
        ("[" * 100_000, "not valid JSON"),
        ("\udcff", "cannot be read"),
    ],
    ids=["brace", "empty", "list", "twice", "nan", "foreign", "deep", "bytes"],
)
def test_text_that_is_no_config(folder: Path, text: str, message: str) -> None:
    (folder / store.CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StoreError, match=message):
        store.load(folder)


def test_a_config_of_absurd_length(folder: Path) -> None:
    with (folder / store.CONFIG).open("ab") as file:
        file.write(b" " * 20_000_000)
    with pytest.raises(StoreError, match="at most"):
        store.load(folder)


def test_a_spec_that_asks_for_too_much(folder: Path) -> None:
    """Seen before any memory is taken: these would be four terabytes."""

    def enlarge(config: dict[str, Any]) -> None:
        huge = {"kind": "linear", "units": 1_000_000}
        config["spec"]["networks"]["G"]["layers"][:0] = [huge, huge]

    rewrite(folder, enlarge)
    with pytest.raises(StoreError, match=r"needs 1,000,0.*at most 2,000,000,000"):
        store.load(folder)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no model in .*config\.json cannot be read"):
        store.load(tmp_path)


# ---------------------------------------------------------------------- models by name


def test_a_model_by_its_folder_or_by_that_of_its_run(folder: Path) -> None:
    assert hub.resolve(folder) == folder
    assert hub.resolve(str(folder)) == folder
    assert hub.resolve(folder.parent) == folder  # a run keeps its model in `model`
    assert hub.from_pretrained(folder).title == "tiny"


def test_names_that_nothing_answers_to(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no model 'dcgan-mnits'"):
        hub.resolve("dcgan-mnits")
    with pytest.raises(StoreError, match=r"no model in .*--resume"):
        hub.resolve(tmp_path)


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"dtype is one of .*, not 'int8'"):
        store.save(model_of("gan"), tmp_path / "model", dtype="int8")  # type: ignore[arg-type]
    assert not (tmp_path / "model").exists()


def test_no_published_model_needs_the_compiler_to_load() -> None:
    """The first function of a tensor without numbers imports it, which costs two seconds."""
    code = (
        "import sys\n"
        "from ganzoo import hub\n"
        "from ganzoo.models import store\n"
        "for name, folder in hub.installed().items():\n"
        "    store.load(folder)\n"
        "    assert 'torch._dynamo' not in sys.modules, name\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
