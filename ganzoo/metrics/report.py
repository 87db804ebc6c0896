"""Figures with their protocols, and the file that stores them.

metrics.json beside a model stores its report, and names the weights that it is about.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganzoo.atomic import write_text
from ganzoo.errors import MetricError, SpecError, StoreError
from ganzoo.reading import content
from ganzoo.spec.json_text import pretty_json, strict_json

FILE = "metrics.json"
FORMAT = 2
MAX_REPORT = 20_000_000
"""The most bytes of a report or a history that are read."""
Better = Literal["lower", "higher", ""]


@dataclass(frozen=True)
class Figure:
    """One number and its protocol.

    Args:
        value: the number. better: which way is better, if any.
        about: how it was measured, a sentence for people.
        real, generated: how many images of each kind it is based on.
        references: other values by the same protocol, such as real training images.
        bound: the reference beyond which more is not better, such as the value of real images.
        targeted: the training loss of the model minimizes this very number, or nearly.
        remark: a sentence on what follows from the number, if any.
    """

    value: float
    better: Better
    about: str
    real: int = 0
    generated: int = 0
    references: Mapping[str, float] = field(default_factory=lambda: dict[str, float]())
    bound: str = ""
    targeted: bool = False
    remark: str = ""

    @property
    def beyond(self) -> bool:
        """Whether the value is past its bound, so that it is not better than a value nearer to
        it."""
        limit = self.references.get(self.bound)
        if limit is None or not self.better:
            return False
        return self.value > limit if self.better == "higher" else self.value < limit

    @property
    def way(self) -> str:
        """Which way is better, in words; and whether the model was trained for it."""
        way = f"{self.better} is better" if self.better else ""
        if self.bound and way:
            way += f", up to {self.bound}"
        return ", ".join(
            filter(None, (way, "the training loss targets it" if self.targeted else ""))
        )


@dataclass(frozen=True)
class Report:
    """All figures of a model on one data set.

    Args:
        model: its name. weights: sha256 of its weights.
        data, split: what it is compared with. seed: of everything random.
        feature_extractor: name and sha256 of the net whose features and classes were used, if any.
    """

    model: str
    weights: str
    data: str
    split: str
    seed: int
    feature_extractor: Mapping[str, str] | None
    figures: Mapping[str, Figure]

    @property
    def protocol(self) -> tuple[Any, ...]:
        """The values that must agree for two reports to be of the same model and protocol."""
        counts = tuple(sorted((n, f.real, f.generated) for n, f in self.figures.items()))
        extractor = self.feature_extractor["sha256"] if self.feature_extractor else ""
        return self.weights, self.data, self.split, self.seed, extractor, counts

    @property
    def judge(self) -> Mapping[str, str] | None:
        """The former name of `feature_extractor`."""
        warnings.warn("Report.judge is Report.feature_extractor", DeprecationWarning, stacklevel=2)
        return self.feature_extractor

    @property
    def remarks(self) -> tuple[str, ...]:
        """What follows from the figures, a sentence each."""
        return tuple(figure.remark for figure in self.figures.values() if figure.remark)

    def text(self) -> str:
        """The report as JSON."""
        plain: dict[str, Any] = {"format_version": FORMAT, **asdict(self)}
        for figure in plain["figures"].values():
            for name in ("bound", "targeted", "remark"):
                if not figure[name]:
                    del figure[name]
        return pretty_json(plain)

    def write(self, folder: Path) -> Path:
        """Write `metrics.json` into a model's folder."""
        path = folder / FILE
        write_text(path, self.text() + "\n")
        return path


def read(folder: Path) -> Report | None:
    """The report in a model's folder; None if there is none, MetricError if it is broken."""
    path = folder / FILE
    if not os.path.lexists(path):
        return None
    try:
        data = strict_json(content(path, MAX_REPORT).decode("utf-8"))
    except (StoreError, UnicodeDecodeError, SpecError) as error:
        raise MetricError(f"{path} cannot be read ({error}); measure again: ganzoo eval") from None
    try:
        return parse(data)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise MetricError(
            f"{path} is not a report of ganzoo ({type(error).__name__}: {error}); "
            "measure again: ganzoo eval"
        ) from None


def parse(data: Any) -> Report:
    """A report from plain data; raises whatever invalid data cause."""
    facts = dict(data)
    version = facts.pop("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT:
        raise ValueError(f"format_version {version!r}, and this ganzoo reads 1 to {FORMAT}")
    figures: dict[str, Figure] = {}
    for name, figure in facts.pop("figures").items():
        given = dict(figure)
        references = {str(key): _finite(value) for key, value in given.pop("references").items()}
        better = given.pop("better")
        if better not in ("lower", "higher", ""):
            raise ValueError(f"better is {better!r}")
        figures[str(name)] = Figure(
            value=_finite(given.pop("value")),
            better=better,
            about=str(given.pop("about")),
            real=int(given.pop("real")),
            generated=int(given.pop("generated")),
            references=references,
            bound=str(given.pop("bound", "")),
            targeted=given.pop("targeted", False) is True,
            remark=str(given.pop("remark", "")),
        )
        if given:
            raise ValueError(f"figure {name!r} has {', '.join(given)}")
    # before format 2 the key was "judge"
    extractor = facts.pop("judge" if "judge" in facts else "feature_extractor")
    return Report(
        model=str(facts.pop("model")),
        weights=str(facts.pop("weights")),
        data=str(facts.pop("data")),
        split=str(facts.pop("split")),
        seed=int(facts.pop("seed")),
        feature_extractor=None
        if extractor is None
        else {"name": str(extractor["name"]), "sha256": str(extractor["sha256"])},
        figures=figures,
    )


NETS = {"efficientnet_lite0": "EfficientNet-Lite0"}
"""How names of figures spell the feature extractors that are not trained on the data."""


def title_of(name: str) -> str:
    """The displayed name of a figure: "FD (EfficientNet-Lite0)" for `fd_efficientnet_lite0`."""
    word, _, features = name.partition("_")
    net = NETS.get(features, features.replace("_", "-"))
    if word in ("fd", "kd") and features:
        return f"{word.upper()} ({net})"
    if features in NETS:
        return f"{word} ({net})"
    return name.replace("_", " ")


def worth(what: str, value: float, better: Better, rivals: Mapping[str, float]) -> str:
    """A sentence on whether a method is better than simpler ones; "" if there are none.

    Args:
        what: the figure, with its article. rivals: values of simpler methods, by their names.
    """
    if not rivals or not better:
        return ""
    best = max if better == "higher" else min
    rival = best(rivals, key=lambda name: rivals[name])
    wins = value != rivals[rival] and best(value, rivals[rival]) == value
    return (
        f"{what} is {value:.3g}, and {rivals[rival]:.3g} for {rival}, the best of the simpler "
        f"methods: by this figure the model {'earns' if wins else 'does not earn'} its place."
    )


def _finite(value: Any) -> float:
    if isinstance(value, str | bool) or not math.isfinite(number := float(value)):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def drift(old: Report, new: Report) -> dict[str, tuple[float, float]]:
    """Figures of `old` that changed by over 2 % and over 0.002, with both values.

    Sums in another order (other processors, other numbers of threads) change the last digits, and
    occasionally a nearest neighbour.
    """
    found: dict[str, tuple[float, float]] = {}
    for name, figure in old.figures.items():
        other = new.figures.get(name)
        if other is None:
            continue
        gap = abs(figure.value - other.value)
        if gap > 0.002 and gap > 0.02 * abs(figure.value):
            found[name] = (figure.value, other.value)
    return found
