"""The figures of several models, row by row: which are comparable, and which is the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganzoo.compare.columns import Column
from ganzoo.metrics.report import Figure


@dataclass(frozen=True)
class Row:
    """One figure of all the models.

    Args:
        about: how it is measured.
        figures: one a column, None where a model lacks it. best: which of them are the best.
        numbers: on how many images they rest. order: which way is good, or why they cannot be
            compared. references: what else the protocol gives, with its name.
    """

    name: str
    about: str
    numbers: str
    figures: tuple[Figure | None, ...]
    best: tuple[bool, ...]
    references: tuple[tuple[str, float], ...]
    order: str

    @property
    def words(self) -> tuple[str, ...]:
        """What is to say beside its name, a line each."""
        return tuple(filter(None, (self.about, self.numbers, self.order)))


def rows(columns: Sequence[Column]) -> list[Row]:
    """The figures of all columns, in the order in which they first appear."""
    names = {name: None for one in columns if one.report for name in one.report.figures}
    return [_row(name, columns) for name in names]


def _row(name: str, columns: Sequence[Column]) -> Row:
    figures = tuple(one.report.figures.get(name) if one.report else None for one in columns)
    there = [
        (one, one.report, figure)
        for one, figure in zip(columns, figures, strict=True)
        if one.report and figure
    ]
    protocol: dict[str, set[str]] = {
        "data": {f"{report.data} {report.split}" for _, report, _ in there},
        "feature extractor": {
            report.feature_extractor["sha256"] if report.feature_extractor else ""
            for _, report, _ in there
        },
        "number of real images": {str(figure.real) for _, _, figure in there},
        "number of samples": {str(figure.generated) for _, _, figure in there},
        "order": {figure.better for _, _, figure in there},
    }
    differing = [word for word, values in protocol.items() if len(values) > 1]
    first = there[0][2]
    better = first.better
    values = [figure.value for _, _, figure in there]
    best: float | None = None
    # equals have no best among them
    if better and not differing and all(map(math.isfinite, values)) and len(set(values)) > 1:
        # past what real images get, more is not better
        within = [figure.value for _, _, figure in there if not figure.beyond]
        if within:
            best = min(within) if better == "lower" else max(within)
    if differing:
        order = f"not comparable: they differ in {', '.join(differing)}"
    else:
        order = first.way
    return Row(
        name=name,
        about=first.about,
        numbers="" if differing else _numbers(first),
        figures=figures,
        best=tuple(figure is not None and figure.value == best for figure in figures),
        references=_references([(one.name, figure) for one, _, figure in there]),
        order=order,
    )


def _numbers(figure: Figure) -> str:
    numbers = ((figure.generated, "samples"), (figure.real, "real images"))
    return ", ".join(f"{number:,} {word}" for number, word in numbers if number)


def _references(figures: Sequence[tuple[str, Figure]]) -> tuple[tuple[str, float], ...]:
    """Each reference once; with the models' names where theirs differ."""
    found: dict[str, dict[float, list[str]]] = {}
    for model, figure in figures:
        for name, value in figure.references.items():
            found.setdefault(name, {}).setdefault(value, []).append(model)
    return tuple(
        (name if len(values) == 1 else f"{name}, for {' and '.join(models)}", value)
        for name, values in found.items()
        for value, models in values.items()
    )
