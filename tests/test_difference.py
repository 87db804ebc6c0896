"""`ganzoo diff`: what differs, at which path."""

from __future__ import annotations

import json
from pathlib import Path

from ganzoo import runs
from ganzoo.cli import console
from ganzoo.spec.difference import Difference, differences
from tests.builders import TINY, data_of, run
from tests.table import TABLE


def carried_out(folder: Path, steps: int = 6) -> Path:
    made = runs.Settings("tiny-gan", TABLE["gan"](), "gan", steps, 4, precision="fp32")
    for _ in runs.carry_out(folder, data_of("gan"), settings=made):
        pass
    return folder


def test_paths_and_values() -> None:
    one = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": True}
    other = {"a": 1, "b": {"c": [1, 3], "d": "x"}, "f": None, "e": 1}
    assert list(differences(one, other)) == [Difference("b.c", [1, 2], [1, 3])]
    assert list(differences(one, one)) == []


def test_a_layer_put_in_moves_nothing_else() -> None:
    def layers(*kinds: str, units: int = 8) -> dict:
        return {"layers": [{"kind": kind, "units": units} for kind in kinds]}

    found = list(
        differences(layers("linear", "relu", "tanh"), layers("linear", "norm", "relu", "tanh"))
    )
    assert [(d.path, d.first) for d in found] == [("layers.+1", None)]
    found = list(differences(layers("linear", "relu"), layers("relu")))
    assert [(d.path, d.second) for d in found] == [("layers.-0", None)]
    found = list(differences(layers("linear"), layers("linear", units=9)))
    assert found == [Difference("layers.0.units", 8, 9)]


def test_spec_files(monkeypatch, tmp_path: Path, capsys) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(TINY)
    other.write_text(
        TINY.replace("units: 8", "units: 12").replace("bce(D(fake), 1)", "-bce(D(fake), 0)")
    )
    assert run(monkeypatch, "diff", one, other, "--json") == 0
    found = {row["path"]: row for row in json.loads(capsys.readouterr().out)["differences"]}
    assert found["spec.networks.D.layers.0.units"]["second"] == 12
    assert any("minimize.fool" in path for path in found) and len(found) == 2
    assert run(monkeypatch, "diff", one, one) == 0
    assert "do not differ" in capsys.readouterr().out


def test_variants(monkeypatch, capsys) -> None:
    monkeypatch.setattr(console.out, "width", 200)
    assert run(monkeypatch, "diff", "wgan", "wgan-gp", "--data", "digits") == 0
    shown = capsys.readouterr().out
    assert "clip_weights" in shown and "gradient_penalty" in shown
    assert run(monkeypatch, "diff", "wgan", "wgn") == 2
    assert "'wgn'" in capsys.readouterr().err


def test_runs_and_their_weights(monkeypatch, tmp_path: Path, capsys) -> None:
    one = carried_out(tmp_path / "one")
    longer = carried_out(tmp_path / "longer", steps=8)
    again = carried_out(tmp_path / "again")
    assert run(monkeypatch, "diff", one, longer) == 0
    shown = capsys.readouterr().out
    assert "steps" in shown and "6" in shown and "8" in shown
    assert "weights of G: they are" in shown
    assert run(monkeypatch, "diff", one, again) == 0
    assert "weights of G: the same to the last bit" in capsys.readouterr().out
    assert run(monkeypatch, "diff", one, one / "model") == 0


def test_models(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "diff", "dcgan-mnist", "gan-mnist") == 0
    shown = capsys.readouterr().out
    assert "weights of G:" in shown and "spec.networks.G" in shown
