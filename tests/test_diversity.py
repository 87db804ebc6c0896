"""Samples of one sentence, by closed forms and by models that differ in nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.data.catalog import DataSet, Sentence
from ganzoo.metrics import diversity, evaluate, obedience
from ganzoo.metrics import feature_extractors as extractors
from ganzoo.models.model import Model
from ganzoo.plugins.host import default
from ganzoo.spec import Fields, Image, Label, Text
from tests.squares import Eye, painter

SIDE = 16
FIELDS = Fields(
    {"image": Image((3, SIDE, SIDE)), "text": Text(4, "none"), "label": Label(2),
     "colour": Label(3, field="colour")},
    "squares",
)  # fmt: skip


def test_spread_by_hand() -> None:
    """Points 0, 0, 3 on a line are 2 apart on average, a pair at 0 and 4 is 4 apart."""
    groups = [np.array([[0.0], [0], [3]]), np.array([[0.0], [4]])]
    assert diversity.spread(groups) == pytest.approx(3)


def squares(n: int = 240) -> dict[str, np.ndarray]:
    """Squares whose brightness and place are free; the caption says left or right."""
    random = np.random.default_rng(0)
    label, colour = random.integers(0, 2, n), random.integers(0, 3, n)
    images = np.zeros((n, 3, SIDE, SIDE), np.uint8)
    for row in range(n):
        left = 8 * label[row]
        images[row, colour[row], 4:12, left : left + 8] = random.integers(120, 250)
    text = np.zeros((n, 4), np.float32)
    text[:, 0] = label
    return {"image": images, "text": text, "label": label, "colour": colour}


SENTENCES = [
    Sentence("on the left", {"label": 0}),
    Sentence("on the right", {"label": 1}),
    Sentence("a red one on the right", {"label": 1, "colour": 0}),
    Sentence("a blue one", {"colour": 2}),
]


@pytest.fixture
def data(monkeypatch) -> None:
    def load(declared: DataSet, split: str, roots: object) -> ganzoo.Source:
        return ganzoo.Source("squares", FIELDS, squares())

    declared = DataSet("squares", FIELDS, "", 240, "", "", load, sentences=lambda: SENTENCES)
    monkeypatch.setitem(default().data, "squares", declared)
    monkeypatch.setattr(extractors, "extractor_of", lambda name: Eye())


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_one_picture_a_sentence_has_no_diversity(monkeypatch, data: None, spread: float) -> None:
    """Models that draw the real pictures of a caption, one of them or any."""
    known = squares()
    images = torch.from_numpy(known["image"]).float() / 255

    def generate(self: Model, n: int, *, text: np.ndarray, **_: object) -> torch.Tensor:
        random = np.random.default_rng(1)
        chosen = []
        for sentence in text:
            fits = np.flatnonzero((known["text"] == sentence).all(1))
            chosen.append(random.choice(fits) if spread else fits[0])
        return images[chosen]

    monkeypatch.setattr(Model, "generate", generate)
    found = evaluate(painter(), "squares", count=200, metrics=[diversity.METRIC]).figures
    figure = found["diversity"]
    assert figure.value == pytest.approx(spread, abs=0.25 if spread else 1e-6)
    assert figure.bound == "test images" and figure.references["test images"] == 1
    assert "2 captions" in figure.about and figure.real == figure.generated == 16


def test_sentences_that_are_obeyed_in_part(monkeypatch, data: None) -> None:
    """A painter of red squares at the place it is told: two of its five facts are colours."""
    place = {"on the left": 0, "on the right": 1, "a red one on the right": 1, "a blue one": 0}

    def generate(self: Model, n: int, *, text: list[str], **_: object) -> torch.Tensor:
        images = torch.zeros(n, 3, SIDE, SIDE)
        for image, sentence in zip(images, text, strict=True):
            left = 8 * place[sentence]
            image[0, 4:12, left : left + 8] = 1
        return images

    monkeypatch.setattr(Model, "generate", generate)
    found = evaluate(painter(), "squares", count=200, metrics=[obedience.METRIC]).figures
    assert found["sentences_right"].value == pytest.approx(4 / 5)
    assert found["sentences_all_right"].value == pytest.approx(3 / 4)
    references = found["sentences_right"].references
    assert references["label"] == 1 and references["colour"] == 0.5
    assert references["test images of captions"] == 1
    assert found["sentences_right"].generated == 4 * obedience.EACH
