"""The Python door: named things without the host, and what `dir(ganzoo)` shows."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import SpecError, UnknownNameError

ROOT = Path(__file__).parents[1]


def test_dir_shows_the_public_names_alone() -> None:
    assert dir(ganzoo) == sorted(ganzoo.__all__)
    for name in ganzoo.__all__:
        assert getattr(ganzoo, name) is not None


def test_a_variant_by_name() -> None:
    made = ganzoo.variant("dcgan", width=8)
    assert made.model_dump()["width"] == 8
    with pytest.raises(UnknownNameError, match="did you mean 'dcgan'"):
        ganzoo.variant("dcgna")
    with pytest.raises(SpecError, match="unknown key 'widht'"):
        ganzoo.variant("dcgan", widht=8)
    assert {"dcgan", "gan", "wgan-gp"} <= set(ganzoo.list_variants())
    assert ganzoo.list_variants() == sorted(ganzoo.list_variants())


def test_a_spec_from_a_file(tmp_path: Path) -> None:
    spec = ganzoo.variant("gan", width=4, latent=2).spec(ganzoo.load_data("digits").fields)
    path = tmp_path / "my.json"
    path.write_text(spec.to_json())
    assert ganzoo.load_spec(path) == spec
    with pytest.raises(SpecError, match="cannot be read"):
        ganzoo.load_spec(tmp_path / "none.yaml")


@pytest.mark.parametrize("way", ["name", "variant", "spec", "file"])
def test_train_takes_a_name_a_variant_a_spec_and_a_file(way: str, tmp_path: Path) -> None:
    variant = ganzoo.variant("gan")
    spec = variant.spec(ganzoo.load_data("digits").fields)
    (tmp_path / "my.json").write_text(spec.to_json())
    given = {"name": "gan", "variant": variant, "spec": spec, "file": str(tmp_path / "my.json")}
    (step,) = ganzoo.train(given[way], "digits", steps=1, batch=4, precision="fp32")
    assert step.model().spec == spec.with_steps(1)


def test_models_by_task_and_data() -> None:
    models = ganzoo.list_models(task="score", data="mnist")
    assert "ganomaly-mnist" in models and "dcgan-mnist" not in models
    assert "ganomaly-fashion-mnist" not in models
    assert {"dcgan-mnist", "ganomaly-fashion-mnist"} <= set(ganzoo.list_models())
    assert "dcgan-mnist" in ganzoo.list_models(task="generate")
    assert ganzoo.list_models(data="nothing") == []


def test_types_of_the_public_names(tmp_path: Path) -> None:
    """tests/typing/public.py says what a type checker sees; pyright, where it is installed."""
    if not find_spec("pyright"):
        pytest.skip("pyright is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "tests/typing/public.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
