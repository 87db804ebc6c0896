"""Models side by side: what stands in the file, and what a hostile folder cannot put there."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from ganzoo import pictures
from ganzoo.compare import Column, column, page, picture, plot, rows, save
from ganzoo.compare.text import number
from ganzoo.errors import MetricError
from ganzoo.models import store
from ganzoo.runs import samples
from ganzoo.spec import latex
from tests.builders import model_of

HOSTILE = """</h2><script>alert("x")</script>&'<img src=//evil.example/x>"""


def saved(folder: Path, row: str = "gan", seed: int = 1, **facts: Any) -> Path:
    return store.save(model_of(row, seed), folder, **{"name": folder.name, **facts})


def figure(value: float, better: str = "lower", **facts: Any) -> dict[str, Any]:
    plain = {"real": 100, "generated": 100, "references": {}, "about": "how far off"}
    return {"value": value, "better": better, **plain, **facts}


def measure(folder: Path, figures: dict[str, Any], **facts: Any) -> Path:
    """Write a metrics.json for the weights that are there."""
    config = json.loads((folder / store.CONFIG).read_text())
    report = {
        "format_version": 2, "model": folder.name, "weights": config["weights"]["sha256"],
        "data": "mnist", "split": "test", "seed": 0,
        "feature_extractor": {"name": "classifier", "sha256": "ab" * 32}, "figures": figures,
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps({**report, **facts}))
    return folder


def columns(*folders: Path) -> list[Column]:
    return [column(str(folder)) for folder in folders]


class Reader(HTMLParser):
    """The elements of a page, each closed as it was opened, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag not in ("meta", "img", "br"):  # which have no end
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.cells[-1][-1] += data

    def row(self, name: str) -> list[str]:
        return next(row[1:] for row in self.cells if row and row[0].startswith(name))


# ------------------------------------------------------------------------------- figures


def test_a_column_says_what_the_folder_says(tmp_path: Path) -> None:
    model = model_of("bigan")
    folder = store.save(model, tmp_path / "m", name="tiny", data={"name": "digits"})
    one = column(str(folder))
    assert (one.name, one.title, one.data) == ("tiny", "BiGAN", "digits")
    assert one.size == (folder / "model.safetensors").stat().st_size
    count = {n: sum(p.numel() for p in net.parameters()) for n, net in model.networks.items()}
    assert one.parameters == count and set(count) == {"G", "E"}
    assert one.facts["parameters"].startswith(f"{sum(count.values()):,} (G {count['G']}")
    assert one.mathematics == latex.text(model.spec)
    assert one.sheet is not None
    assert one.sheet.tobytes() == pictures.sheet(samples(model, 64, 0)).tobytes()
    assert one.report is None and not one.stale
    assert one.measured == f"not measured: ganzoo eval {folder}"


def test_the_best_of_a_row_is_marked(tmp_path: Path) -> None:
    a = measure(saved(tmp_path / "a"), {"fid": figure(5), "recall": figure(0.2, "higher")})
    b = measure(saved(tmp_path / "b"), {"fid": figure(7), "recall": figure(0.3, "higher")})
    c = measure(saved(tmp_path / "c"), {"recall": figure(0.3, "higher"), "size": figure(4, "")})
    d = saved(tmp_path / "d")
    fid, recall, size = rows(columns(a, b, c, d))
    assert [row.name for row in (fid, recall, size)] == ["fid", "recall", "size"]
    assert [f and f.value for f in fid.figures] == [5, 7, None, None]
    assert fid.best == (True, False, False, False) and fid.order == "lower is better"
    assert recall.best == (False, True, True, False) and recall.order == "higher is better"
    assert not any(size.best) and size.order == ""
    read = Reader(page(columns(a, b, c, d)))
    assert read.row("fid") == ["5 best", "7", "–", "–"]
    assert read.row("recall") == ["0.2", "0.3 best", "0.3 best", "–"]


@pytest.mark.parametrize(
    ("facts", "more", "word"),
    [
        ({"data": "digits"}, {}, "data"),
        ({"split": "train"}, {}, "data"),
        ({"feature_extractor": None}, {}, "feature extractor"),
        (
            {"feature_extractor": {"name": "classifier", "sha256": "cd" * 32}},
            {},
            "feature extractor",
        ),
        ({}, {"generated": 99}, "number of samples"),
        ({}, {"real": 99}, "number of real images"),
        ({}, {"better": "higher"}, "order"),
    ],
)
def test_figures_of_other_protocols_have_no_best(tmp_path, facts, more, word) -> None:
    a = measure(saved(tmp_path / "a"), {"fid": figure(5)})
    b = measure(saved(tmp_path / "b"), {"fid": {**figure(7), **more}}, **facts)
    (row,) = rows(columns(a, b))
    assert not any(row.best) and row.order == f"not comparable: they differ in {word}"
    text = page(columns(a, b))
    assert 'class="best"' not in text and row.order in text
    same = measure(b, {"fid": figure(7)})
    assert rows(columns(a, same))[0].best == (True, False)


def test_neither_equals_nor_one_alone_are_best(tmp_path: Path) -> None:
    a = measure(saved(tmp_path / "a"), {"fid": figure(5), "kid": figure(1)})
    b = measure(saved(tmp_path / "b"), {"fid": figure(5)})
    assert not any(any(row.best) for row in rows(columns(a, b)))


def test_figures_of_other_weights_are_left_out(tmp_path: Path) -> None:
    a = measure(saved(tmp_path / "a"), {"fid": figure(5)})
    b = measure(saved(tmp_path / "b"), {"fid": figure(123.25)}, weights="0" * 64)
    one, other = columns(a, b)
    assert not one.stale and other.stale and other.report is None
    (row,) = rows([one, other])
    assert row.figures[1] is None and not any(row.best)
    text = page([one, other])
    assert "123.2" not in text
    assert "stale" in Reader(text).row("measured")[1] and f"ganzoo eval {b}" in text


def test_references_have_a_column_of_their_own(tmp_path: Path) -> None:
    one, other = {"training images": 0.5}, {"training images": 0.75, "noise": 90}
    a = measure(saved(tmp_path / "a"), {"x": figure(5, references=one), "y": figure(1)})
    b = measure(saved(tmp_path / "b"), {"x": figure(7, references=one), "y": figure(2)})
    read = Reader(page(columns(a, b)))
    assert read.cells[0][-1] == "reference"
    assert read.row("x")[-1] == "0.5 training images"
    assert read.row("y")[-1] == ""
    measure(b, {"x": figure(7, references=other)})
    assert rows(columns(a, b))[0].references == (
        ("training images, for a", 0.5), ("training images, for b", 0.75), ("noise", 90),
    )  # fmt: skip
    for folder in (a, b):
        measure(folder, {"x": figure(5)})
    assert "reference" not in Reader(page(columns(a, b))).cells[0]


def test_a_broken_metrics_file_is_said(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a")
    for text in ("{", "[]", '{"format_version": 1}'):
        (folder / "metrics.json").write_text(text)
        with pytest.raises(MetricError, match=r"metrics\.json"):
            column(str(folder))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.123456, "5.123"),
        (0.00001234, "1.234e-05"),
        (12345.6, "12,346"),
        (1e12, "1e+12"),
        (0, "0"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


# --------------------------------------------------------------------------------- files


def test_a_page_stands_for_itself(tmp_path: Path) -> None:
    folders = [saved(tmp_path / "a", seed=1), saved(tmp_path / "b", "cdcgan", seed=2)]
    path = save(columns(*folders), tmp_path / "both.html")
    text = path.read_text("utf-8")
    read = Reader(text)
    sources = [attrs["src"] for tag, attrs in read.tags if tag == "img"]
    assert len(sources) == 2
    for source, row, seed in zip(sources, ("gan", "cdcgan"), (1, 2), strict=True):
        assert source is not None
        content = base64.b64decode(source.removeprefix("data:image/png;base64,"), validate=True)
        with Picture.open(io.BytesIO(content)) as sheet:
            wanted = pictures.sheet(samples(model_of(row, seed), 64, 0))
            assert sheet.tobytes() == wanted.tobytes()
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in read.tags}
    assert not re.search(r"https?:|@import|url\(", text)
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    for one in columns(*folders):
        assert f'<pre tabindex="0">{html.escape(one.mathematics)}</pre>' in text
        assert f"not measured: ganzoo eval {one.asked}" in text


def test_what_a_file_says_is_text(tmp_path: Path) -> None:
    """Names, titles, data, figures and their words: all of them could be anything."""
    a = saved(tmp_path / "a", name=HOSTILE, data={"name": HOSTILE})
    config = json.loads((a / store.CONFIG).read_text())
    config["spec"]["title"] = HOSTILE
    (a / store.CONFIG).write_text(json.dumps(config))
    words = figure(3, about=HOSTILE, references={HOSTILE: 1})
    measure(
        a, {HOSTILE: words}, data=HOSTILE, feature_extractor={"name": HOSTILE, "sha256": HOSTILE}
    )
    b = saved(tmp_path / "b")
    text = page(columns(a, b))
    read = Reader(text)
    assert "<script" not in text and "evil.example/x>" not in text
    assert sum(tag == "img" for tag, _ in read.tags) == 2
    assert not any(key.startswith("on") for _, attrs in read.tags for key in attrs)
    alt = next(attrs["alt"] for tag, attrs in read.tags if tag == "img")
    assert alt is not None and alt.startswith(HOSTILE)
    assert read.row(HOSTILE) == ["3", "–", f"1 {HOSTILE}"]
    assert HOSTILE in read.row("measured")[0] and read.cells[0][1].startswith(HOSTILE)


def test_a_folder_with_an_odd_name_gives_a_command_that_works(tmp_path: Path) -> None:
    folder = saved(tmp_path / "my model; <b>", name="tiny")
    one = column(str(folder))
    assert one.command == f"ganzoo eval '{folder}'"
    assert html.escape(one.command) in page([one, one])


@pytest.mark.parametrize("name", ["$\\frac{$", "{}%s", "a\nb\x1b[31m\u202e", "数字", "x" * 500])
def test_any_name_can_be_written_and_drawn(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "a")
    config = json.loads((folder / store.CONFIG).read_text())
    if name.isprintable() and len(name) < 100:  # others are refused when a model is read
        (folder / store.CONFIG).write_text(json.dumps({**config, "name": name}))
    measure(folder, {name: figure(1, about=name, references={name: 2})}, data=name)
    both = [*columns(folder), *columns(folder)]
    for ending in ("html", "png"):
        assert save(both, tmp_path / f"both.{ending}").stat().st_size > 5000
    text = (tmp_path / "both.html").read_text("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def ink(path: Path, colour: tuple[int, int, int]) -> int:
    with Picture.open(path) as read:
        pixels = np.asarray(read.convert("RGB")).astype(int)
    return int((abs(pixels - colour).max(-1) < 3).sum())


def test_a_picture_shows_sheets_and_figures(tmp_path: Path) -> None:
    a = measure(saved(tmp_path / "a"), {"fid": figure(5, references={"real": 1})})
    b = measure(saved(tmp_path / "b", seed=2), {"fid": figure(7)})
    drawn = picture(columns(a, b))
    words = [text.get_text() for text in drawn.texts]
    for word in ("a", "b", "fid", "5  best", "7", "reference", "1 real"):
        assert word in words, word
    assert len(drawn.axes) == 2
    places = {text.get_text(): text.get_position()[0] for text in drawn.texts}
    sheets = [axes.get_position().x0 for axes in drawn.axes]
    assert [places["5  best"], places["7"]] == pytest.approx(sheets)
    assert [places["a"], places["b"]] == pytest.approx(sheets)
    path = save(columns(a, b), tmp_path / "both.png")
    good = tuple(int(plot._GOOD[k : k + 2], 16) for k in (1, 3, 5))
    assert ink(path, good) > 50
    measure(b, {"fid": figure(7)}, data="digits")
    assert ink(save(columns(a, b), path), good) == 0


def test_nothing_in_a_picture_lies_on_something_else(tmp_path: Path) -> None:
    """Long words wrap or are cut; nothing leaves the canvas."""
    long = "a rather long description of what this means " * 6
    many = {f"{i} {long}": figure(i, about=long, references={long: 1, "b": 2}) for i in range(3)}
    one = measure(saved(tmp_path / ("n" * 60)), many)
    other = measure(saved(tmp_path / "b"), many, weights="0" * 64)
    drawn = picture(columns(one, other))
    drawn.draw_without_rendering()
    boxes = [(t.get_text(), t.get_window_extent()) for t in drawn.texts if t.get_text()]
    for place, (text, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1, text
        for _, another in boxes[place + 1 :]:
            assert not box.overlaps(another), text


@pytest.mark.parametrize("row", ["discogan", "stackgan"])
def test_a_model_without_samples_says_why(tmp_path: Path, row: str) -> None:
    one, other = columns(saved(tmp_path / "a", row), saved(tmp_path / "b"))
    assert one.sheet is None
    assert ("translate" if row == "discogan" else "text") in one.reason
    assert html.escape(one.reason) in page([one, other])
    assert len(picture([one, other]).axes) == 1
    for pair in ([one, one], [one, other]):
        assert save(pair, tmp_path / "both.png").is_file()
