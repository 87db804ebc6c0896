"""Whether samples obey sentences that are not captions of the data: paraphrases and omissions.

The data set declares the sentences and what they say (`DataSet.sentences`); nothing is trained on
them.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ganzoo.metrics.evaluation import Counts, Evaluation
from ganzoo.metrics.metric import Metric
from ganzoo.metrics.report import Figure

EACH = 8
"""Samples of each sentence."""


def _find(evaluation: Evaluation) -> dict[str, Figure]:
    assert evaluation.told and evaluation.declared.sentences
    sentences = [*evaluation.declared.sentences()]
    told = [sentence.text for sentence in sentences for _ in range(EACH)]
    samples = evaluation.generate(len(told), text=told)
    fields = {field: None for sentence in sentences for field in sentence.says}
    seen = {field: evaluation.extractor.classes(samples, field) for field in fields}
    real = {
        field: (evaluation.extractor.classes(evaluation.real, field) == truth)[truth >= 0].mean()
        for field, truth in evaluation.fields_of_labels()
        if seen.get(field) is not None and (truth >= 0).any()
    }
    right: dict[str, list[np.ndarray]] = defaultdict(list)
    whole: list[np.ndarray] = []
    for index, sentence in enumerate(sentences):
        rows = slice(index * EACH, (index + 1) * EACH)
        verdicts = {
            field: classes[rows] == number
            for field, number in sentence.says.items()
            if (classes := seen[field]) is not None
        }
        for field, verdict in verdicts.items():
            right[field].append(verdict)
        if verdicts:
            whole.append(np.all([*verdicts.values()], axis=0))
    if not right:
        return {}
    shares = {field: np.concatenate(some).mean() for field, some in right.items()}
    every = np.concatenate([part for some in right.values() for part in some]).mean()
    counts: Counts = {"real": evaluation.count, "generated": len(told)}
    of = f"{len(sentences)} sentences outside of the captions, {EACH} samples each"
    return {
        "sentences_right": evaluation.figure(
            every,
            "higher",
            f"share of what {of}, say that the extractor sees",
            {"test images of captions": np.mean([*real.values()]), **shares},
            **counts,
        ),
        "sentences_all_right": evaluation.figure(
            np.concatenate(whole).mean(),
            "higher",
            f"share of the samples of {of}, in which it sees all that they say",
            **counts,
        ),
    }


def _applies(evaluation: Evaluation) -> bool:
    return evaluation.told is not None and evaluation.declared.sentences is not None


METRIC = Metric("obedience", _applies, _find)
