"""Measure a model: its tasks, its Spec and the data determine which metrics apply.

One protocol holds for all models of a data set, so that figures can be compared:

- real images are the first `count` of the test split, generated ones the samples of one seed,
  of the classes of those test images if the model takes a class, of their captions if it
  takes sentences;
- all are rounded to 8 bits, and values are in [0, 1]; images are resized only for nets that
  need it;
- each figure is shown with the value of real training images, or of a trivial method;
- a data set without a test split is divided in two by hashes of its images; its test images
  were then trained on, and the report says so (`split`);
- image fields of a test split that have equal lengths are pairs row by row;
- nothing here is selected on test images, not even the width of the Parzen kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any, SupportsFloat, TypedDict

import numpy as np
import torch
from torch import Tensor

from ganzoo.data.catalog import DataSet, find
from ganzoo.data.source import Source
from ganzoo.data.splits import train_and_test
from ganzoo.engine import distribution
from ganzoo.errors import GanzooError, MetricError, UnknownNameError, choices, nearest
from ganzoo.metrics import efficientnet, feature_extractors
from ganzoo.metrics.feature_extractors import Extractor, rounded
from ganzoo.metrics.metric import CORE, Metric
from ganzoo.metrics.report import Better, Figure, Report
from ganzoo.models.labels import label_of
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.plugins.host import default
from ganzoo.seed import key
from ganzoo.spec.draws import Image, Label, Normal, Text
from ganzoo.spec.tasks import Task

COUNT, LEAST = 10_000, 100
"""Images that are measured, and the fewest that give a meaningful figure."""
DENSE = 1024
"""Numbers in an image up to which pixel distances are measured."""
LITERATURE = {"inception": "inception-v3-compat", "dinov2": "dinov2-vit-l-14"}
"""Nets whose feature distances papers report, with their names in torch-fidelity."""


class Counts(TypedDict):
    """How many images a figure is based on; `**counts` for `Evaluation.figure`."""

    real: int
    generated: int


def evaluate(
    model: Model,
    data: str = "",
    *,
    count: int = COUNT,
    seed: int = 0,
    history: Mapping[str, Any] | None = None,
    metrics: Iterable[Metric] | None = None,
    literature: tuple[str, ...] = (),
    note: Callable[[str], None] = lambda text: None,
) -> Report:
    """All figures that apply to a model.

    Args:
        model: what is measured, on its device, where feature extractors compute, too.
        data: the data set to compare with; by default the one that it was trained on.
        count: real and generated images each.
        seed: of the samples and of every random choice.
        history: records of the run (`ganzoo.metrics.history`).
        metrics: what to measure; by default all, those of plugins too.
        literature: nets whose feature distances are measured as papers report them, with
            50,000 samples: "inception", "dinov2" (`ganzoo.metrics.fidelity`).
        note: called with what is being measured.

    Raises:
        MetricError: the data do not fit the model, a library is missing, or a metric is broken.
        DataError: the data cannot be read.
    """
    try:
        import sklearn  # noqa: F401
        import torchmetrics  # noqa: F401
    except ImportError as error:
        raise MetricError(
            f'metrics need more: pip install "ganzoo-core[metrics]" ({error})'
        ) from None
    data = data or model.config.data.name
    if not data:
        raise MetricError(f"{model.title} does not say what it was trained on; give --data")
    if count < LEAST:
        raise MetricError(f"figures of {count} images are not meaningful; use {LEAST} or more")
    for net in literature:
        if net not in LITERATURE:
            raise UnknownNameError(
                f"no features {net!r}{nearest(net, LITERATURE)} papers take: {choices(LITERATURE)}"
            )
    evaluation = Evaluation(model, data, count, seed, history, literature)
    figures: dict[str, Figure] = {}
    owners: dict[str, str] = {}
    chosen = [*(measured() if metrics is None else metrics)]
    for metric, found in zip(chosen, _all_found(chosen, evaluation, note), strict=True):
        for name, figure in found.items():
            if name in owners:
                raise MetricError(
                    f"the metrics {owners[name]!r} and {metric.name!r} both give a figure {name!r}"
                )
            figures[name], owners[name] = figure, metric.name
    if not figures:
        raise MetricError(f"nothing of what {model.title} can do has a metric")
    return Report(
        model=model.title,
        weights=model.weights_sha256,
        data=data,
        split=evaluation.split,
        seed=seed,
        feature_extractor=evaluation.extracted,
        figures=figures,
    )


def measured() -> list[Metric]:
    """All metrics in the order in which they run: the core's, then those of plugins."""
    core = [import_module(f"ganzoo.metrics.{name}").METRIC for name in CORE]
    return [*core, *default().metrics.values()]


def _all_found(
    metrics: Sequence[Metric], evaluation: Evaluation, note: Callable[[str], None]
) -> list[Mapping[str, Figure]]:
    """The figures of each metric. With several processes (torchrun), each measures some of them."""
    rank, world = distribution.join_group()
    found = {
        index: distribution.attempted(lambda metric=metric: _found(metric, evaluation, note))
        for index, metric in enumerate(metrics)
        if index % world == rank
    }
    together = distribution.exchanged(found)
    return [distribution.answered(together[index]) for index in range(len(metrics))]


def _found(
    metric: Metric, evaluation: Evaluation, note: Callable[[str], None]
) -> Mapping[str, Figure]:
    """The figures of one metric; none where it does not apply."""
    try:
        if not metric.applies(evaluation):
            return {}
        note(metric.name.replace("_", " "))
        return metric.find(evaluation)
    except GanzooError:
        raise
    except Exception as error:
        owner = default().providers.get(("metrics", metric.name))
        if owner is None:
            raise
        raise MetricError(
            f"the metric {metric.name!r} of {owner} failed ({type(error).__name__}: {error}); "
            "`ganzoo --no-plugins eval ...` measures without it"
        ) from error


class Evaluation:
    """A model, the data that it is compared with, and values that several metrics need.

    Expensive values are computed when they are first needed, and kept.

    Attributes:
        model: the model. spec: its Spec. data: the name of the data set. declared: its
            declaration. train, test: its splits; `split` is the name of the second.
        count: real and generated images each. seed: of all random choices.
        image: the images that the model takes or draws.
        history: records of the run, if there are any.
        literature: nets whose distances are requested as papers report them.
    """

    def __init__(
        self,
        model: Model,
        data: str,
        count: int = COUNT,
        seed: int = 0,
        history: Mapping[str, Any] | None = None,
        literature: tuple[str, ...] = (),
    ) -> None:
        self.model, self.spec, self.data, self.seed = model, model.spec, data, seed
        self.history, self.literature = history, literature
        self.declared: DataSet = find(data, default().data)
        # without a test split, the images that replace it are not searched for neighbours
        self.train, self.test, self.split = train_and_test(data, count)
        image = next((d for d in model.spec.draws.values() if isinstance(d, Image)), None)
        fields = self.test.fields.fields
        held = fields.get("image", fields.get(image.field) if image else None)
        if image is None or not isinstance(held, Image) or held.shape != image.shape:
            raise MetricError(
                f"{model.title} draws {image.shape if image else 'no images'}, and {data!r} has "
                f"{held.shape if isinstance(held, Image) else 'no images'}; give the --data that "
                "it was trained on"
            )
        self.image = image
        self.count = min(count, len(self.test))
        if self.count < LEAST:
            raise MetricError(
                f"figures of {self.count} images are not meaningful ({data!r} has "
                f"{len(self.test):,} for comparison); give a data set with {LEAST} or more"
            )

    # ------------------------------------------------------------------- what the model takes

    @property
    def dense(self) -> bool:
        """Whether images are small enough to measure pixel distances."""
        return int(np.prod(self.image.shape)) <= DENSE

    @cached_property
    def asked(self) -> str | None:
        """The label field whose classes the model draws images of; None if it takes none."""
        labels = (label_of(self.spec, task) for task in self.model.tasks("generate").values())
        return next((label.field for label in labels if label), None)

    @property
    def conditional(self) -> bool:
        """Whether the model draws images of a class."""
        return self.asked is not None

    @cached_property
    def told(self) -> Text | None:
        """The sentence that the model draws from; None if it takes none."""
        return self.text_of(next(iter(self.model.tasks("generate").values()), None))

    def text_of(self, task: Task | None) -> Text | None:
        """The sentence that a task takes; None if it takes none."""
        names = self.spec.draws_of(task) if task else ()
        draws = map(self.spec.draws.get, names)
        return next((draw for draw in draws if isinstance(draw, Text)), None)

    def samples_codes(self, task: str) -> bool:
        """Whether a code is itself a sample, which should be distributed as the normal prior."""
        return any(
            isinstance(self.spec.draws[name], Normal)
            for name in self.spec.draws_of(self.spec.tasks[task])
        )

    @cached_property
    def fresh(self) -> Model:
        """The model before training."""
        return untrained(self.model, self.seed).to(self.model.device)

    # ---------------------------------------------------------------------- images and labels

    def images(self, source: Source, rows: Tensor, field: str = "image") -> Tensor:
        """Images (n, c, h, w) in [0, 1]."""
        return source.batch(field, rows).add(1).div(2)

    @cached_property
    def rows(self) -> Tensor:
        """The rows of the test images: the first `count`."""
        return torch.arange(self.count)

    @cached_property
    def real(self) -> Tensor:
        """The test images, (n, c, h, w) in [0, 1]."""
        return self.images(self.test, self.rows)

    @cached_property
    def normal(self) -> Tensor:
        """The test images of classes that the training images have, too."""
        if not self.left_out:
            return self.real
        return self.real[torch.from_numpy(~np.isin(self.labels, sorted(self.left_out)))]

    @cached_property
    def known(self) -> Tensor:
        """As many training images, drawn by the seed."""
        return self.images(self.train, self.known_rows)

    @cached_property
    def known_rows(self) -> Tensor:
        """The rows of `known`."""
        return self.known_sample(self.count)

    def known_sample(self, most: int) -> Tensor:
        """The rows of training images drawn by the seed, at most so many."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randperm(len(self.train), generator=generator)[:most]

    @cached_property
    def everything(self) -> Tensor:
        """All training images, (n, c, h, w) in [0, 1]."""
        return self.images(self.train, torch.arange(len(self.train)))

    @cached_property
    def classes(self) -> int:
        """The number of classes of the field `label`; 0 if there is none."""
        label = self.test.fields.fields.get("label")
        return label.classes if isinstance(label, Label) else 0

    @cached_property
    def labels(self) -> np.ndarray:
        """The classes of the test images."""
        return self.test.batch("label", self.rows).numpy()

    @cached_property
    def all_labels(self) -> np.ndarray:
        """The classes of all training images."""
        return self.train.batch("label", torch.arange(len(self.train))).numpy()

    def fields_of_labels(self) -> Iterator[tuple[str, np.ndarray]]:
        """The label fields, with their values for the test images; -1 where a caption names
        none."""
        for field, draw in self.test.fields.fields.items():
            if isinstance(draw, Label) and not draw.independent:
                labels = self.test.batch(field, self.rows).numpy()
                if self.declared.fields.unsaid in draw.names:
                    silent = draw.names.index(self.declared.fields.unsaid)
                    labels = np.where(labels == silent, -1, labels)
                yield field, labels

    @cached_property
    def left_out(self) -> set[int]:
        """Classes of the test images that the training images lack: the anomalies."""
        if not self.classes:
            return set()
        return set(self.labels.tolist()) - set(self.all_labels.tolist())

    def captions(self, text: Text) -> np.ndarray:
        """The embedded captions of the test images."""
        return self.test.batch(text.field, self.rows).numpy()

    @cached_property
    def generated(self) -> Tensor:
        """As many samples: of the classes, and of the captions, of the test images."""
        given: dict[str, Any] = {}
        if self.asked:
            given["label"] = self.test.batch(self.asked, self.rows).numpy()
        if self.told:
            given["text"] = self.captions(self.told)
        return self.generate(self.count, **given)

    def generate(self, n: int, **given: Any) -> Tensor:
        """Samples of the seed, (n, c, h, w) in [0, 1], rounded to 8 bits."""
        return rounded(self.model.generate(n, seed=self.seed, output="pt", **given))

    # ---------------------------------------------------------------------- the feature extractor

    @cached_property
    def extractor(self) -> Extractor:
        """The feature extractor of the data, on the device of the model."""
        found = feature_extractors.extractor_of(self.data)
        return feature_extractors.placed(found, self.model.device)

    @cached_property
    def general(self) -> efficientnet.EfficientNet | None:
        """A feature extractor not trained on the data; None if none is installed."""
        found = efficientnet.installed()
        return found and feature_extractors.placed(found, self.model.device)

    @property
    def extracted(self) -> dict[str, str] | None:
        """Name and sha256 of the extractor; None if no metric has used it."""
        if "extractor" not in self.__dict__:
            return None
        return {"name": self.extractor.name, "sha256": self.extractor.sha256}

    @cached_property
    def features(self) -> dict[str, np.ndarray]:
        """The features of the images `real`, `generated` and `known`, float32 (n, d) each."""
        return {
            kind: self.extractor.features(getattr(self, kind))
            for kind in ("real", "generated", "known")
        }

    @cached_property
    def seen(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The classes that the extractor sees in real and in generated images, if it knows any."""
        return self.extractor.classes(self.real), self.extractor.classes(self.generated)

    # --------------------------------------------------------------------------- the figures

    def figure(
        self,
        value: SupportsFloat,
        better: Better,
        about: str,
        references: Mapping[str, SupportsFloat] | None = None,
        *,
        real: int | None = None,
        generated: int | None = None,
        bound: str = "",
        targeted: bool = False,
        remark: str = "",
    ) -> Figure:
        """A figure of all test images and as many samples, in six significant digits.

        Args:
            value: the number. better: which way is better, if any. about: how it was measured.
            references: other values by the same protocol.
            real, generated: how many images it is based on, if not `count` of each.
            bound, targeted, remark: as in `Figure`.
        """
        return Figure(
            value=_short(value),
            better=better,
            about=about,
            real=self.count if real is None else real,
            generated=self.count if generated is None else generated,
            references={name: _short(number) for name, number in (references or {}).items()},
            bound=bound,
            targeted=targeted,
            remark=remark,
        )


def untrained(model: Model, seed: int = 0) -> Model:
    """The same networks with their initial weights."""
    networks = build(model.spec, published=True)
    for name, net in networks.items():
        initialize(net, model.spec.networks[name], key(seed, "weights", name))
    return Model(model.spec, networks)


def _short(value: SupportsFloat) -> float:
    """Six significant digits."""
    return float(f"{float(value):.6g}")
