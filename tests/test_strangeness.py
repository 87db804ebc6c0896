"""Scores that know noise and inversion are told from those that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo.metrics import evaluate, strangeness
from ganzoo.models.model import Model


@pytest.mark.parametrize("sound", [True, False])
def test_a_score_that_knows_and_one_that_does_not(monkeypatch, sound: bool) -> None:
    """Digits are dark: a score of brightness passes, and one of darkness calls noise normal."""

    def score(self: Model, images: torch.Tensor, **_: object) -> ganzoo.Scores:
        brightness = images.mean((1, 2, 3)).numpy()
        return ganzoo.Scores((brightness if sound else -brightness).astype(np.float32))

    monkeypatch.setattr(Model, "score", score)
    model = ganzoo.from_pretrained("wgan-gp-mnist")
    report = evaluate(model, "digits", count=100, metrics=[strangeness.METRIC])
    for word in ("noise", "inverted"):
        figure = report.figures[f"critic_{word}_auroc"]
        assert figure.value == (1 if sound else 0) and figure.references["chance"] == 0.5
    assert len(report.remarks) == (0 if sound else 1)
    if not sound:
        assert "'critic' is not usable for anomalies" in report.remarks[0]


def test_a_model_without_scores_is_not_asked() -> None:
    model = ganzoo.from_pretrained("dcgan-mnist")
    evaluation = ganzoo.metrics.Evaluation(model, "digits", 100)
    assert not strangeness.METRIC.applies(evaluation)
