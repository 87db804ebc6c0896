"""Picture files through a model: what is seen, what comes back, what is strange."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.errors import DataError, TaskError
from ganzoo.models.inference import reconstructions, save_heat_map, scored, translations, write_csv
from ganzoo.models.model import Model
from ganzoo.spec import Spec
from tests.builders import model_of


def test_pictures_are_fitted_and_come_back(tmp_path: Path) -> None:
    model = model_of("bigan")
    files = [tmp_path / name for name in ("grey.png", "colour.jpg", "turned.jpg")]
    rng = np.random.default_rng(0)
    Picture.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(files[0])
    Picture.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(files[1])
    half = Picture.new("L", (16, 16))
    half.paste(255, (0, 0, 16, 8))
    exif = Picture.Exif()
    exif[0x0112] = 3  # held upside down
    half.save(files[2], exif=exif)
    originals, copies = reconstructions(model, files)
    assert originals.shape == copies.shape == (3, 1, 8, 8)
    with Picture.open(files[0]) as image:
        np.testing.assert_allclose(originals[0, 0], np.asarray(image) / 255, atol=1e-6)
    assert originals[2, 0, :3].max() < 0.1 and originals[2, 0, 5:].min() > 0.9
    wanted = model.reconstruct(files[:2], output="pt")
    torch.testing.assert_close(copies[:2], wanted, rtol=0, atol=1e-5)


def test_pictures_are_translated(tmp_path: Path) -> None:
    model = model_of("discogan")
    rng, files = np.random.default_rng(0), [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        Picture.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(file)
    originals, made = translations(model, files, "b")
    assert originals.shape == made.shape == (2, 1, 8, 8)
    torch.testing.assert_close(made, model.translate(files, to="b", output="pt"))
    assert not torch.equal(made, translations(model, files, "a")[1])
    with pytest.raises(TaskError, match=r"no domain 'c'.*this model translates to"):
        translations(model, files, "c")
    with pytest.raises(TaskError, match="cannot translate; it can: 'generate'"):
        translations(model_of("gan"), files, "b")


def test_noise_in_the_code_comes_from_the_seed(tmp_path: Path) -> None:
    model, file = model_of("ali"), tmp_path / "x.png"
    task = {"kind": "reconstruct", "output": "G(code)"}
    spec = Spec.from_dict({**model.spec.to_dict(), "tasks": {"sampled": task}})
    Picture.new("L", (8, 8), 90).save(file)
    one, again, other = (
        reconstructions(Model(spec, model.networks), [file], seed)[1] for seed in (0, 0, 1)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_what_cannot_be_reconstructed_is_said(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    with pytest.raises(DataError, match=r"no picture '.*x\.png'"):
        reconstructions(model_of("bigan"), [file])
    file.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"x\.png' cannot be read \(no picture\)"):
        reconstructions(model_of("bigan"), [file])
    with pytest.raises(TaskError, match="cannot reconstruct; it can: 'generate'"):
        reconstructions(model_of("gan"), [file])


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp"])
def test_a_damaged_picture_is_a_data_error(tmp_path: Path, kind: str) -> None:
    model, file = model_of("bigan"), tmp_path / f"x.{kind}"
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Picture.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8)).save(buffer, kind)
    whole = buffer.getvalue()
    refused = 0
    for trial in range(30):
        damaged = bytearray(whole[: rng.integers(10, len(whole))] if trial % 2 else whole)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(0, 255)
        file.write_bytes(damaged)
        try:
            reconstructions(model, [file])
        except DataError:
            refused += 1
    assert refused


# ---------------------------------------------------------------------------------- scores


@pytest.fixture
def anomaly() -> Model:
    model = model_of("ganomaly")
    fitted = {"score": {"value": 0.5, "quantile": 0.95, "images": 100}}
    model.config = model.config.replace(thresholds=fitted)
    return model


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    found = [tmp_path / f"{index}.png" for index in range(70)]  # more than are read at once
    for file in found:
        Picture.fromarray(rng.integers(0, 255, (16, 16), np.uint8)).save(file)
    found[3].write_bytes(b"no picture")
    return found


def test_one_broken_file_stops_no_other(anomaly: Model, files: list[Path]) -> None:
    rows = list(scored(anomaly, files))
    assert [row.file for row in rows] == files
    assert [row.score is None for row in rows] == [index == 3 for index in range(70)]
    assert "3.png" in rows[3].error and not rows[0].error
    for index in (0, 69):
        alone = anomaly.score(files[index])
        assert rows[index].score == alone.values[0]
        assert alone.is_anomaly is not None and rows[index].is_anomaly == alone.is_anomaly[0]


def test_without_a_threshold_there_is_no_verdict(anomaly: Model, files: list[Path]) -> None:
    anomaly.config = anomaly.config.replace(thresholds={})
    assert next(scored(anomaly, files)).is_anomaly is None


def test_a_table_can_be_read_again(anomaly: Model, files: list[Path], tmp_path: Path) -> None:
    rows = list(scored(anomaly, files[:5]))
    with write_csv(rows, tmp_path / "scores.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [line["file"] for line in read] == [str(file) for file in files[:5]]
    assert np.float32(read[0]["score"]) == np.float32(rows[0].score)
    assert read[0]["is_anomaly"] == str(rows[0].is_anomaly).lower()
    assert read[3]["score"] == "" and "3.png" in read[3]["error"]


def test_heat_maps_glow_where_the_error_is(
    anomaly: Model, files: list[Path], tmp_path: Path
) -> None:
    row = next(scored(anomaly, files, maps=True))
    maps = anomaly.score(files[0], maps=True).maps
    assert row.heat_map is not None and maps is not None
    redness = row.heat_map[..., 0].astype(float) - row.heat_map[..., 2]
    assert np.corrcoef(redness.ravel(), np.minimum(maps, 1).ravel())[0, 1] > 0.99
    saved = save_heat_map(row, tmp_path / "new" / "maps", 7)
    assert saved is not None and saved.name == "00007-0.png"
    with Picture.open(saved) as picture:
        assert picture.size[0] >= 128
    assert save_heat_map(next(scored(anomaly, files)), tmp_path, 1) is None


def test_a_model_that_cannot_score_says_so(files: list[Path]) -> None:
    with pytest.raises(TaskError, match="cannot score; it can"):
        next(scored(model_of("gan"), files))
