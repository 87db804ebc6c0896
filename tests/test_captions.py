"""Whether images are what sentences say: the figures against closed forms, and their hook."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ganzoo
from ganzoo.data.catalog import FeatureExtractor
from ganzoo.metrics import evaluate, evaluation
from ganzoo.metrics import feature_extractors as extractors
from ganzoo.metrics.captions import prefers, r_precision
from ganzoo.models.model import Model
from ganzoo.nn.functions.losses import contrastive
from ganzoo.spec import Spec
from tests.squares import COLOURS, SIDE, Eye, painter, squares

# ------------------------------------------------------------------------------ closed forms


def test_r_precision_of_images_that_are_their_sentences() -> None:
    words = np.random.default_rng(0).standard_normal((300, 8))
    assert r_precision(3 * words, words) == 1
    assert r_precision(np.roll(words, 1, axis=0), words) < 0.05
    assert r_precision(-words, words) == 0


def test_r_precision_by_chance_is_one_in_so_many() -> None:
    random = np.random.default_rng(1)
    words, pictures = random.standard_normal((2, 4000, 16))
    for candidates in (100, 10):
        found = r_precision(pictures, words, candidates=candidates)
        assert found == pytest.approx(1 / candidates, abs=3 * (1 / candidates / 4000) ** 0.5)


def test_a_tie_is_wrong_and_the_same_sentence_is_no_other() -> None:
    words = np.eye(20)
    assert r_precision(np.ones((20, 20)), words) == 0
    twice = np.concatenate([words, words])
    assert r_precision(twice, twice) == 1, "its own caption, on another row, is drawn against it"
    few = np.eye(3)
    assert r_precision(few, few, candidates=100) == 1


def test_r_precision_is_the_seeds() -> None:
    random = np.random.default_rng(2)
    words = random.standard_normal((200, 6))
    pictures = words + 0.8 * random.standard_normal((200, 6))
    one, again, other = (r_precision(pictures, words, seed=seed) for seed in (0, 0, 1))
    assert one == again and 0.2 < one < 0.9 and abs(one - other) < 0.1


def test_prefers() -> None:
    assert prefers(np.array([0.0, 1]), np.array([1.0, 2])) == 1
    assert prefers(np.array([1.0, 2]), np.array([0.0, 1])) == 0
    assert prefers(np.array([1.0, 0]), np.array([1.0, 3])) == 0.75


def test_contrastive_in_closed_form() -> None:
    """Orthonormal rows: each of n candidates has logit 0 but its own, which has `scale`."""
    n, scale = 5, 3.0
    rows = torch.eye(n)
    expected = np.log(np.exp(scale) + n - 1) - scale
    assert contrastive(2 * rows, 7 * rows, scale).item() == pytest.approx(expected, rel=1e-6)
    assert contrastive(rows, torch.ones(n, n), scale).item() == pytest.approx(np.log(n), rel=1e-6)
    a, b = torch.randn(2, n, 4)
    assert contrastive(a, b, scale).item() == pytest.approx(contrastive(b, a, scale).item())
    found = torch.stack([F.cosine_similarity(row[None], b) for row in a]) * scale
    ours = -(found.log_softmax(1) + found.log_softmax(0)).diagonal().mean() / 2
    torch.testing.assert_close(contrastive(a, b, scale), ours)
    with pytest.raises(ValueError, match="shapes differ"):
        contrastive(a, b[:3], scale)


# ----------------------------------------------------------------------------------- the hook


def test_the_figures_of_a_model_that_is_told(monkeypatch, squares_data: None) -> None:
    monkeypatch.setattr(extractors, "extractor_of", lambda name: Eye())
    found = evaluate(painter(), "squares", count=200).figures
    assert found["class_accuracy"].value > 0.95
    red = (squares("test")["colour"][:200] == 0).mean()
    assert found["colour_accuracy"].value == pytest.approx(red)
    assert found["all_right"].value <= found["colour_accuracy"].value
    for name in ("class_accuracy", "colour_accuracy"):
        assert found[name].references["test images"] == 1
        assert found[name].references["stage1"] == pytest.approx(found[name].value, abs=0.05)
    assert found["stage1_fid"].value > 0 and found["fid"].value > 0
    assert 0 <= found["mismatch_prefers"].value <= 1 and "mismatch_auroc" not in found
    assert "r_precision" not in found


def test_the_margin_of_a_score_that_knows(monkeypatch, squares_data: None) -> None:
    """A mismatch of |text - what the image shows| is 0 for the right caption."""
    monkeypatch.setattr(extractors, "extractor_of", lambda name: Eye())
    model = painter()

    def score(images: torch.Tensor, *, text: np.ndarray, **_: object) -> ganzoo.Scores:
        wrong = np.abs(text[:, 0] - (Eye().classes(images) == 1))
        return ganzoo.Scores(wrong.astype(np.float32))

    monkeypatch.setattr(model, "score", score)
    found = evaluate(model, "squares", count=200).figures
    label = squares("test")["label"][:200]
    differ = (label != np.roll(label, 1)).mean()
    assert found["mismatch_margin"].value == pytest.approx(differ, rel=1e-5)
    assert found["mismatch_prefers"].value == pytest.approx(differ + 0.5 * (1 - differ), rel=1e-5)


class Knows(extractors.Matcher):
    """A matcher that reads squares off images, and texts as they are."""

    def __init__(self) -> None:
        self.name, self.sha256 = "knows", "cd"

    def features(self, images: torch.Tensor) -> np.ndarray:
        return Eye().features(images)

    def pictures(self, images: torch.Tensor) -> np.ndarray:
        side, colour = Eye().classes(images), Eye().classes(images, "colour")
        assert side is not None and colour is not None
        return np.column_stack([side, np.eye(COLOURS)[colour]]) - [0.5, 0, 0, 0]

    def words(self, texts: np.ndarray) -> np.ndarray:
        return texts - [0.5, 0, 0, 0]


def test_r_precision_by_a_matcher(monkeypatch, squares_data: None) -> None:
    monkeypatch.setattr(extractors, "extractor_of", lambda name: Knows())
    found = evaluate(painter(), "squares", count=200).figures
    for name, split in (("r_precision", "test"), ("r_precision_training", "training")):
        assert found[name].references[f"{split} images"] == 1
        assert 0.2 < found[name].value < 0.5, "red squares alone are right"
    assert "class_accuracy" not in found


def test_a_matcher_is_measured(monkeypatch, squares_data: None) -> None:
    spec = Spec.from_dict(
        {
            "draws": {
                "x": {"kind": "image", "shape": [3, SIDE, SIDE]},
                "t": {"kind": "text", "size": 4, "encoder": "none"},
            },
            "networks": {
                "I": {
                    "inputs": {"x": [{"kind": "flatten"}]},
                    "layers": ["batch_norm", {"kind": "linear", "units": 8}],
                },
                "T": {"inputs": {"t": []}, "layers": [{"kind": "linear", "units": 8}]},
            },
            "round": [{"train": ["I", "T"], "minimize": {"match": "contrastive(I(x), T(t), 10)"},
                       "optimizer": {"kind": "adam", "lr": 0.01}}],
            "steps": 60,
            "tasks": {
                "features": {"kind": "encode", "output": "I(x)"},
                "pictures": {"kind": "match", "output": "I(x)"},
                "words": {"kind": "match", "output": "T(t)"},
            },
            "batch": 48,
        }
    )  # fmt: skip
    *_, last = ganzoo.train(spec, ganzoo.load_data("squares"))
    found = evaluate(last.model(), "squares", count=200).figures["r_precision"]
    assert found.value > 0.9 and found.references["training images"] > 0.9
    untrained = evaluate(evaluation.untrained(last.model()), "squares", count=200)
    assert untrained.figures["r_precision"].value < 0.6


def test_the_extractor_of_captions_is_a_matcher_where_it_reads_words(monkeypatch) -> None:
    spec = {
        "draws": {"x": {"kind": "image", "shape": [1, 4, 4]}, "t": {"kind": "text", "size": 3}},
        "networks": {
            "I": {"inputs": {"x": []}, "layers": [{"kind": "linear", "units": 2}]},
            "T": {"inputs": {"t": []}, "layers": [{"kind": "linear", "units": 2}]},
        },
        "round": [{"train": ["I", "T"], "minimize": {"match": "contrastive(I(x), T(t), 10)"}}],
        "tasks": {
            "features": {"kind": "encode", "output": "I(x)"},
            "pictures": {"kind": "match", "output": "I(x)"},
            "words": {"kind": "match", "output": "T(t)"},
        },
    }
    model = evaluation.untrained(Model(Spec.from_dict(spec), {}))
    model.config = model.config.replace(weights={"sha256": "ef" * 32})
    monkeypatch.setattr(extractors, "from_pretrained", lambda name: model)
    matcher = extractors.pinned(FeatureExtractor("matcher-somewhere", "ef" * 32))
    assert isinstance(matcher, extractors.Matcher)
    assert matcher.classes(torch.rand(2, 1, 4, 4)) is None
    pictures, words = matcher.pictures(torch.rand(2, 1, 4, 4)), matcher.words(np.eye(3)[:2])
    assert pictures.shape == words.shape == (2, 2)
