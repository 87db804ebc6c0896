"""Measure a model: which figures apply follows from its tasks, its Spec and the data.

The protocol is one for all models of a data set, so that figures can be compared:

- real images are the first `count` of the test split, generated ones the samples of one seed,
  of the classes of those test images where the model takes a class, of their captions where it
  takes sentences;
- all are rounded to 8 bits, and values are in [0, 1]; nothing is resized but for the
  Inception net;
- each figure stands beside what real training images, or a trivial method, would get;
- of a data set without a test split, the last training images stand for it;
- fields `a` and `b` of a test split, of one length, are pairs row by row; the first half of the
  classes is of domain `a`, the second of `b`;
- nothing here is chosen by test images, the width of the Parzen kernel included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganzoo.data import load
from ganzoo.data.source import Source
from ganzoo.errors import MetricError
from ganzoo.metrics.report import Better, Figure, Report
from ganzoo.models.model import Model, image_tensor, sample_noise
from ganzoo.nn.build import build, initialize
from ganzoo.seed import key
from ganzoo.spec import expression as ex
from ganzoo.spec.draws import Image, Label, Normal, Text
from ganzoo.spec.spec import Task

COUNT = 10_000
FITTED = 50_000
"""Conditional samples that a nearest-neighbour classifier is fitted on."""
DENSE = 1024
"""Numbers in an image up to which distances of pixels are measured."""
COMPONENTS = 20
"""Principal components of the reconstruction beside anomaly scores."""
VERDICT = "classes"
"""A task of kind encode of this name gives a number for each class: the model is a classifier."""
WORDS = "words"
"""One of this name, beside one named `pictures`, encodes sentences: the model is a matcher."""


def evaluate(
    model: Model,
    data: str = "",
    *,
    count: int = COUNT,
    seed: int = 0,
    history: Mapping[str, Any] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Report:
    """All figures that apply to a model.

    Args:
        data: the data set to compare with; by default the one that it was trained on.
        count: real and generated images each.
        seed: of the samples and of every random choice.
        history: what a run recorded on the way (`ganzoo.metrics.history`).
        note: told what is being measured.

    Raises:
        MetricError: the data do not fit the model, or a library is missing.
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
    if count < 100:
        raise MetricError(f"figures of {count} images mean nothing; take 100 or more")
    work = _Evaluation(model, data, count, seed)
    figures: dict[str, Figure] = {}
    if model.tasks("generate"):
        note("samples")
        figures |= work.samples()
    if work.conditional:
        note("classes of the samples")
        figures |= work.conditions()
    if work.told:
        note("what the captions say")
        figures |= work.captions()
    if VERDICT in model.tasks("encode"):
        note("verdicts")
        figures |= work.verdicts()
    if WORDS in model.tasks("encode"):
        note("matches")
        figures |= work.matches()
    for name, task in model.tasks("encode").items():
        if VERDICT in model.tasks("encode") or work.text_of(task):
            continue
        note(f"codes of {name!r}")
        figures |= work.codes(name)
    if model.tasks("reconstruct"):
        note("reconstructions")
        figures |= work.reconstructions()
    if model.tasks("translate"):
        note("translations")
        figures |= work.translations()
    if work.left_out:
        for name in model.tasks("score"):
            note(f"scores of {name!r}")
            figures |= work.anomalies(name)
    note("critics")
    figures |= work.critics()
    if history:
        from ganzoo.metrics.history import figures_of

        figures |= figures_of(history)
    if not figures:
        raise MetricError(f"nothing of what {model.title} can do has a metric")
    return Report(
        model=model.title,
        weights=model.weights_sha256,
        data=data,
        split=work.split,
        seed=seed,
        judge=work.judged,
        figures=figures,
    )


class _Evaluation:
    """What the measures of one model share, made when it is first asked for."""

    def __init__(self, model: Model, data: str, count: int, seed: int) -> None:
        self.model, self.data, self.seed = model, data, seed
        self.train = load(data, "train")
        self.split = "test" if "test" in _splits(data) else "train"
        if self.split == "test":
            self.test = load(data, "test")
        else:  # the last training images stand for it, and no neighbour is looked for among them
            kept = max(len(self.train) // 2, len(self.train) - count)
            everything = torch.arange(len(self.train))
            self.test = self.train.select(everything[kept:])
            self.train = self.train.select(everything[:kept])
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
        self.classes = self._classes()

    def _classes(self) -> int:
        label = self.test.fields.fields.get("label")
        return label.classes if isinstance(label, Label) else 0

    @property
    def conditional(self) -> bool:
        return any(
            isinstance(self.model.spec.draws[name], Label)
            for task in self.model.tasks("generate").values()
            for name in self.model.spec.draws_in(task.output)
        )

    @cached_property
    def told(self) -> Text | None:
        """The sentence that the model draws from; None where it takes none."""
        return self.text_of(next(iter(self.model.tasks("generate").values()), None))

    def text_of(self, task: Task | None) -> Text | None:
        """The sentence that a task takes; None where it takes none."""
        draws = self.model.spec.draws
        names = self.model.spec.draws_in(task.output) if task else ()
        return next((draw for draw in map(draws.get, names) if isinstance(draw, Text)), None)

    # ---------------------------------------------------------------------- images, labels

    @cached_property
    def real(self) -> Tensor:
        """The test images, (n, c, h, w) in [0, 1]."""
        return _images(self.test, torch.arange(self.count))

    @cached_property
    def labels(self) -> np.ndarray:
        return self.test.batch("label", torch.arange(self.count)).numpy()

    @cached_property
    def known(self) -> Tensor:
        """As many training images, drawn by the seed."""
        return _images(self.train, self._known)

    @cached_property
    def _known(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randperm(len(self.train), generator=generator)[: self.count]

    @cached_property
    def generated(self) -> Tensor:
        given: dict[str, Any] = {"label": self.labels} if self.conditional else {}
        if self.told:
            given["text"] = self._captions(self.told)
        return self._generate(self.count, **given)

    def _captions(self, text: Text) -> np.ndarray:
        """The embedded captions of the test images."""
        return self.test.batch(text.field, torch.arange(self.count)).numpy()

    def _generate(self, n: int, **given: Any) -> Tensor:
        from ganzoo.metrics.feature_extractors import rounded

        return rounded(self.model.generate(n, seed=self.seed, output="pt", **given))

    # --------------------------------------------------------------------------- the judge

    @cached_property
    def judge(self) -> Any:
        from ganzoo.metrics.feature_extractors import judge_of

        return judge_of(self.data)

    @cached_property
    def seen(self) -> tuple[Any, Any]:
        """The classes that the judge sees in real and in generated images; None, None if none."""
        return self.judge.classes(self.real), self.judge.classes(self.generated)

    @property
    def judged(self) -> dict[str, str] | None:
        if "judge" not in self.__dict__:
            return None
        return {"name": self.judge.name, "sha256": self.judge.sha256}

    # -------------------------------------------------------------------------- the figures

    def figure(
        self, value: float, better: Better, about: str, generated: int | None = None,
        **references: float,
    ) -> Figure:  # fmt: skip
        return Figure(
            value=_short(value),
            better=better,
            about=about,
            real=self.count,
            generated=self.count if generated is None else generated,
            references={name.replace("_", " "): _short(v) for name, v in references.items()},
        )

    def samples(self) -> dict[str, Figure]:
        """Distances of features, classes, and likelihood where images are small."""
        from ganzoo.metrics import distributions

        features = {
            kind: self.judge.features(images)
            for kind, images in (
                ("real", self.real), ("fake", self.generated), ("known", self.known),
            )
        }  # fmt: skip
        real, fake, known = features["real"], features["fake"], features["known"]
        found: dict[str, Figure] = {}
        for name, measure, about in (
            ("fid", distributions.frechet_distance, "Fréchet distance of the judge's features"),
            ("kid", distributions.kernel_distance, "kernel distance of the judge's features"),
        ):
            found[name] = self.figure(
                measure(real, fake), "lower", about, training_images=measure(real, known)
            )
        ours = distributions.precision_recall(real, fake)
        floor = distributions.precision_recall(real, known)
        for name, about in (
            ("precision", "share of samples within the real images' neighbourhoods"),
            ("recall", "share of real images within the samples' neighbourhoods"),
            ("density", "how many real neighbourhoods a sample lies in, over their size"),
            ("coverage", "share of real neighbourhoods with a sample in them"),
        ):
            found[name] = self.figure(ours[name], "higher", about, training_images=floor[name])
        found |= self._class_balance()
        if int(np.prod(self.image.shape)) <= DENSE:
            found |= self._likelihood()
        return found

    def _class_balance(self) -> dict[str, Figure]:
        from ganzoo.metrics import classes

        real, seen = self.seen
        if seen is None:
            return {}
        number = self.classes
        return {
            "class_entropy": self.figure(
                classes.entropy(seen, number),
                "higher",
                "entropy in nats of the classes that the judge sees",
                test_images=classes.entropy(real, number),
            ),
            "rarest_class": self.figure(
                classes.shares(seen, number).min(),
                "higher",
                "share of the class that the judge sees least often",
                test_images=classes.shares(real, number).min(),
            ),
        }

    def _likelihood(self) -> dict[str, Figure]:
        from ganzoo.metrics.likelihood import log_likelihood

        rows, samples, known = (
            part.flatten(1).numpy() for part in (self.real, self.generated, self.known)
        )
        held = torch.arange(len(self.train))[-1000:]
        validation = _images(self.train, held).flatten(1).numpy()
        value, width = log_likelihood(samples, validation, rows)
        return {
            "log_likelihood": self.figure(
                value,
                "higher",
                f"Parzen log-likelihood in nats, kernel {width:.3g} by 1,000 training images",
                training_images=log_likelihood(known, validation, rows)[0],
            )
        }

    def conditions(self) -> dict[str, Figure]:
        """Whether the class that was asked for is the class that is seen."""
        from ganzoo.metrics import classes, codes

        found: dict[str, Figure] = {}
        real, seen = self.seen
        if seen is not None:
            found["class_accuracy"] = self.figure(
                classes.accuracy(seen, self.labels),
                "higher",
                "share of samples in which the judge sees the class asked for",
                test_images=classes.accuracy(real, self.labels),
            )
        if int(np.prod(self.image.shape)) <= DENSE:
            fitted = min(FITTED, len(self.train))
            labels = self.train.batch("label", torch.arange(fitted)).numpy()
            rows, truth = self.real.flatten(1).numpy(), self.labels
            errors = [
                1 - codes.nearest_neighbour_accuracy(images.flatten(1).numpy(), labels, rows, truth)
                for images in (
                    self._generate(fitted, label=labels),
                    _images(self.train, torch.arange(fitted)),
                )
            ]
            found["nearest_neighbour_error"] = self.figure(
                errors[0],
                "lower",
                f"test error of a 1-NN classifier of pixels fitted on {fitted:,} samples",
                generated=fitted,
                training_images=errors[1],
            )
        return found

    def verdicts(self) -> dict[str, Figure]:
        """How often a classifier is right."""
        from ganzoo.metrics import classes

        seen = self.model.encode(self.real, task=VERDICT).argmax(1)
        about = "share of test images whose class it finds"
        accuracy = classes.accuracy(seen, self.labels)
        found = {"accuracy": self.figure(accuracy, "higher", about, generated=0)}
        for field, truth in self._fields_of_labels():
            if field != "label" and field in self.model.tasks("encode"):
                seen = self.model.encode(self.real, task=field).argmax(1)
                about = f"share of test images whose {field} it finds"
                accuracy = classes.accuracy(seen, truth)
                found[f"{field}_accuracy"] = self.figure(accuracy, "higher", about, generated=0)
        return found

    def _fields_of_labels(self) -> Iterator[tuple[str, np.ndarray]]:
        """The fields of labels of the test images, with the labels."""
        for field, draw in self.test.fields.fields.items():
            if isinstance(draw, Label) and not draw.independent:
                yield field, self.test.batch(field, torch.arange(self.count)).numpy()

    def captions(self) -> dict[str, Figure]:
        """Whether images are what their captions say, and what the last stage adds."""
        from ganzoo.metrics import classes, distributions
        from ganzoo.metrics.captions import prefers, r_precision
        from ganzoo.metrics.feature_extractors import Matcher, rounded

        assert self.told
        text, found = self._captions(self.told), dict[str, Figure]()
        _, *earlier = self.model.tasks("generate")
        size = self.image.shape[1:]
        sketches = {
            task: rounded(F.interpolate(images, size, mode="bilinear"))
            for task in earlier
            if (images := self._generate(self.count, task=task, text=text)).shape[2:] != size
        }
        right = {"": np.ones(self.count, bool), **{t: np.ones(self.count, bool) for t in sketches}}
        for field, truth in self._fields_of_labels():
            asked = VERDICT if field == "label" else field
            real = self.judge.classes(self.real, asked)
            if real is None:
                continue
            correct = {
                task: self.judge.classes(images, asked) == truth
                for task, images in {"": self.generated, **sketches}.items()
            }
            right = {task: right[task] & correct[task] for task in right}
            shares = {task: each.mean() for task, each in correct.items()}
            found["class_accuracy" if field == "label" else f"{field}_accuracy"] = self.figure(
                shares.pop(""),
                "higher",
                f"share of samples in which the judge sees the {field} that the caption names",
                None,
                test_images=classes.accuracy(real, truth),
                **shares,
            )
        if len(found) > 1:
            shares = {task: each.mean() for task, each in right.items()}
            about = "share of samples in which it sees all of them as the caption has them"
            whole = shares.pop("")
            found["all_right"] = self.figure(whole, "higher", about, None, **shares)
        for task, images in sketches.items():
            features = (self.judge.features(part) for part in (self.real, images))
            found[f"{task}_fid"] = self.figure(
                distributions.frechet_distance(*features),
                "lower",
                f"Fréchet distance of the samples of {task!r}, enlarged",
            )
        for name, task in self.model.tasks("score").items():
            if not self.text_of(task):
                continue
            own, other = (
                self.model.score(self.real, task=name, text=rows, seed=self.seed).values
                for rows in (text, np.roll(text, 1, axis=0))
            )
            found[f"{name}_margin"] = self.figure(
                (other - own).mean(),
                "higher",
                f"by how much {name!r} of test images is more with another's caption, on average",
                generated=0,
                spread=own.std(),
            )
            found[f"{name}_prefers"] = self.figure(
                prefers(own, other),
                "higher",
                "share of test images that fit their own caption better than another's",
                generated=0,
                chance=0.5,
            )
        if isinstance(self.judge, Matcher):
            known = self.train.batch(self.told.field, self._known).numpy()
            again = self._generate(len(known), text=known)
            for name, images, real, rows, which in (
                ("r_precision", self.generated, self.real, text, "test"),
                ("r_precision_training", again, self.known, known, "training"),
            ):
                drawn, true = (
                    r_precision(self.judge.pictures(part), self.judge.words(rows), seed=self.seed)
                    for part in (images, real)
                )
                beside: dict[str, Any] = {f"{which}_images": true, "chance": 0.01}
                found[name] = self.figure(
                    drawn,
                    "higher",
                    f"share of samples of {which} captions that the judge matches with their own "
                    "among 100",
                    **beside,
                )
        return found

    def matches(self) -> dict[str, Figure]:
        """How often a matcher finds the caption of an image."""
        from ganzoo.metrics.captions import r_precision

        text = self.text_of(self.model.tasks("encode")[WORDS])
        assert text

        def share(images: Tensor, captions: Tensor) -> float:
            pictures = self.model.encode(images, task="pictures")
            words = self.model.encode(text=captions.numpy(), task=WORDS)
            return r_precision(pictures, words, seed=self.seed)

        rows = torch.arange(self.count)
        return {
            "r_precision": self.figure(
                share(self.real, self.test.batch(text.field, rows)),
                "higher",
                "share of test images whose own caption it finds among 100",
                generated=0,
                training_images=share(self.known, self.train.batch(text.field, self._known)),
                chance=0.01,
            )
        }

    def codes(self, task: str) -> dict[str, Figure]:
        """What the nearest neighbour of a code knows, and how codes lie."""
        from ganzoo.metrics import codes

        found: dict[str, Figure] = {}
        if self.classes and len(self.train) * len(self.real) <= 10**9:
            references = {
                "untrained": self._nearest(lambda x: self.fresh.encode(x, task=task)),
            }
            if int(np.prod(self.image.shape)) <= DENSE:
                references["pixels"] = self._pixels
            found[f"{task}_nearest_neighbour"] = self.figure(
                self._nearest(lambda x: self.model.encode(x, task=task, seed=self.seed)),
                "higher",
                f"test accuracy of 1-NN by the task {task!r}, fitted on {len(self.train):,} images",
                generated=0,
                **references,
            )
        if self._is_prior(task):
            lie = codes.moments(self.model.encode(self.real, task=task, seed=self.seed))
            found[f"{task}_mean"] = self.figure(
                lie["mean"],
                "lower",
                "mean over the code's numbers of their absolute means",
                generated=0,
                prior=0.0,
                largest=lie["largest_mean"],
            )
            found[f"{task}_variance"] = self.figure(
                lie["variance"],
                "",
                "mean over the code's numbers of their variances",
                generated=0,
                prior=1.0,
                least=lie["least_variance"],
                largest=lie["largest_variance"],
            )
        return found

    @cached_property
    def fresh(self) -> Model:
        """The model as it was before it learnt anything."""
        return untrained(self.model, self.seed)

    @cached_property
    def everything(self) -> Tensor:
        """All training images, (n, c, h, w) in [0, 1]."""
        return _images(self.train, torch.arange(len(self.train)))

    @cached_property
    def all_labels(self) -> np.ndarray:
        return self.train.batch("label", torch.arange(len(self.train))).numpy()

    @cached_property
    def _pixels(self) -> float:
        return self._nearest(lambda x: x.flatten(1).numpy())

    def _nearest(self, encode: Callable[[Tensor], np.ndarray]) -> float:
        """Test accuracy of 1-NN in what `encode` makes of images."""
        from ganzoo.metrics.codes import nearest_neighbour_accuracy

        fitted, rows = encode(self.everything), encode(self.real)
        return nearest_neighbour_accuracy(fitted, self.all_labels, rows, self.labels)

    def _is_prior(self, task: str) -> bool:
        """Whether a code is itself a sample, which should lie as the normal prior does."""
        spec = self.model.spec
        return any(
            isinstance(spec.draws[name], Normal) for name in spec.draws_in(spec.tasks[task].output)
        )

    def reconstructions(self) -> dict[str, Figure]:
        from ganzoo.metrics.codes import reconstruction_ratio
        from ganzoo.metrics.feature_extractors import rounded

        def ratio(model: Model) -> float:
            again = model.reconstruct(self.real, seed=self.seed, output="pt")
            return reconstruction_ratio(self.real.numpy(), rounded(again).numpy(), self.seed)

        return {
            "reconstruction_ratio": self.figure(
                ratio(self.model),
                "lower",
                "distance of images to their reconstructions over that to those of others",
                untrained=ratio(self.fresh),
            )
        }

    def translations(self) -> dict[str, Figure]:
        """Whether held-out images find their partners in the other domain, and belong there."""
        found: dict[str, Figure] = {}
        for name, task in self.model.tasks("translate").items():
            (draw,) = (
                d
                for d in map(self.model.spec.draws.get, self.model.spec.draws_in(task.output))
                if isinstance(d, Image)
            )
            if task.to and self._paired(draw.field, task.to):
                found |= self._translation(name, draw.field, task.to)
        return found

    def _paired(self, one: str, other: str) -> bool:
        """Whether two fields of the test split are partners, row by row."""
        images = [self.test.fields.fields.get(field) for field in (one, other)]
        return (
            self.split == "test"
            and all(isinstance(image, Image) for image in images)
            and self.test.length(one) == self.test.length(other)
        )

    def _translation(self, name: str, field: str, to: str) -> dict[str, Figure]:
        """The figures of one direction; each stands beside what doing nothing would get."""
        from ganzoo.metrics import pairs
        from ganzoo.metrics.codes import reconstruction_ratio
        from ganzoo.metrics.feature_extractors import PINNED, rounded

        number = min(self.count, pairs.CANDIDATES, self.test.length(to))
        rows = torch.arange(number)
        originals, partners = (_images(self.test, rows, name) for name in (field, to))
        made = rounded(self.model.translate(originals, to=to, seed=self.seed, output="pt"))
        places, before, wanted = map(pairs.coarse, (made, originals, partners))
        found = {
            f"{name}_retrieval_{k}": self.figure(
                pairs.retrieval(places, wanted, k),
                "higher",
                f"share of images of {field} in {to} that have their partner among the {k} nearest "
                f"of {number:,}, by pixels averaged to {pairs.SIDE}x{pairs.SIDE}",
                number,
                doing_nothing=pairs.retrieval(before, wanted, k),
                chance=k / number,
            )
            for k in (1, 5)
        }
        back = [task.to for task in self.model.tasks("translate").values()]
        if field in back:
            again = self.model.translate(made, to=field, seed=self.seed, output="pt")
            found[f"{name}_and_back"] = self.figure(
                reconstruction_ratio(originals.numpy(), rounded(again).numpy(), self.seed),
                "lower",
                f"distance of images of {field} to what comes back of them over that to others'",
                number,
            )
        half = self.classes // 2
        if self.data.partition(",")[0] in PINNED and half and {field, to} == {"a", "b"}:
            # the first half of the classes are of domain a, the second of b
            shift = half * (to == "b")
            seen = [self.judge.classes(images) for images in (made, originals, partners)]
            shares = [(classes // half == (to == "b")).mean() for classes in seen]
            found[f"{name}_taken"] = self.figure(
                shares[0],
                "higher",
                f"share of images of {field} in {to} that the judge takes for {to}",
                number,
                doing_nothing=shares[1],
                partners=shares[2],
            )
            if half > 1:
                kept = [(classes == seen[1] % half + shift).mean() for classes in seen]
                found[f"{name}_class_kept"] = self.figure(
                    kept[0],
                    "higher",
                    "share that it takes for the same class in the other domain",
                    number,
                    doing_nothing=kept[1],
                    partners=kept[2],
                )
        return {name: replace(figure, real=number) for name, figure in found.items()}

    @cached_property
    def left_out(self) -> set[int]:
        """Classes of the test images that the training images lack: what is strange."""
        if not self.classes:
            return set()
        return set(self.labels.tolist()) - set(self.all_labels.tolist())

    def anomalies(self, task: str) -> dict[str, Figure]:
        """How well a score tells images of classes that were left out of training."""
        from ganzoo.metrics.critics import auroc, lost_in_components

        strange = np.isin(self.labels, sorted(self.left_out))

        def area(scores: np.ndarray) -> float:
            return auroc(scores[~strange], scores[strange])

        pixels = self.everything.flatten(1).numpy()
        rows = self.real.flatten(1).numpy()
        lost = lost_in_components(pixels, rows, COMPONENTS, self.seed)
        some = ", ".join(map(str, sorted(self.left_out)))
        scores = self.model.score(self.real, task=task, seed=self.seed)
        found = {
            f"{task}_auroc": self.figure(
                area(scores.values),
                "higher",
                f"chance that an image of class {some} scores above one of the others",
                generated=0,
                **{
                    f"PCA_of_{COMPONENTS}": area(lost),
                    "untrained": area(self.fresh.score(self.real, task=task).values),
                },
            )
        }
        verdicts = scores.is_anomaly
        if verdicts is not None:
            assert scores.threshold is not None
            found[f"{task}_detected"] = self.figure(
                verdicts[strange].mean(),
                "higher",
                f"share of the images of class {some} that score above the stored threshold",
                generated=0,
                threshold=scores.threshold,
            )
            found[f"{task}_false_alarms"] = self.figure(
                verdicts[~strange].mean(),
                "lower",
                "share of the other images that do",
                generated=0,
                meant=1 - (self.model.spec.tasks[task].quantile or 0),
            )
        return found

    def critics(self) -> dict[str, Figure]:
        """How steep a penalised critic is, how large clipped weights are, what scores tell."""
        from ganzoo.metrics import critics

        spec, found = self.model.spec, dict[str, Figure]()
        for call in _calls(self.model, "gradient_penalty"):
            name = call.arguments[0].name  # type: ignore[attr-defined]
            norms = critics.gradient_norms(
                self.model.networks[name],
                *(self._values(argument) for argument in call.arguments[1:]),
                seed=self.seed,
            )
            found["gradient_norm"] = self.figure(
                norms.mean(),
                "",
                f"mean norm of the gradient of {name} between real and generated images",
                target=1.0,
                standard_deviation=norms.std(),
            )
        for stage in spec.stages:
            for update in stage.updates:
                held = [n for n in update.train if n in self.model.networks]
                if update.clip_weights and held:
                    weights = [w for n in held for w in self.model.networks[n].parameters()]
                    found["largest_weight"] = self.figure(
                        max(float(weight.abs().max()) for weight in weights),
                        "",
                        f"largest absolute weight of {', '.join(held)}",
                        generated=0,
                        clipped_to=update.clip_weights,
                    )
        # with classes left out, `anomalies` has asked the score for something better
        if self.model.tasks("generate") and not self.left_out:
            for task, declared in self.model.tasks("score").items():
                if self.text_of(declared):
                    continue
                normal, strange = (
                    self.model.score(images, task=task, seed=self.seed).values
                    for images in (self.real, self.generated)
                )
                found[f"{task}_auroc"] = self.figure(
                    critics.auroc(normal, strange),
                    "",
                    f"chance that the task {task!r} finds a sample stranger than a test image",
                )
        return found

    def _values(self, node: ex.Expression) -> list[Tensor]:
        """What an argument of a penalty is on test images and samples, as the Spec says it."""
        spec = self.model.spec
        parts = node.items if isinstance(node, ex.Several) else (node,)
        values: dict[str, Tensor] = {}
        for name, draw in spec.draws.items():
            match draw:
                case Image():
                    values[name] = image_tensor(self.real, draw)
                case Label():
                    values[name] = torch.from_numpy(self.labels)
                case Text():
                    values[name] = torch.from_numpy(self._captions(draw))
                case _:
                    values[name] = sample_noise(draw, self.count, self.seed, name)  # type: ignore[arg-type]
        return [self.model.outputs(str(part), values).clone() for part in parts]


def untrained(model: Model, seed: int = 0) -> Model:
    """The same networks with weights as they begin."""
    networks = build(model.spec, published=True)
    for name, net in networks.items():
        initialize(net, model.spec.networks[name], key(seed, "weights", name))
    return Model(model.spec, networks)


def _calls(model: Model, function: str) -> list[ex.Call]:
    """Calls of a function in the losses, whose networks the model has."""
    spec = model.spec
    found: dict[str, ex.Call] = {}
    for path, text in spec.expressions():
        if ".minimize." not in path or not spec.networks_in(text) <= set(model.networks):
            continue
        for node in ex.walk(ex.parse(text)):
            if isinstance(node, ex.Call) and node.name == function:
                found[str(node)] = node
    return [*found.values()]


def _images(source: Source, indices: Tensor, field: str = "image") -> Tensor:
    """Images (n, c, h, w) in [0, 1]."""
    return source.batch(field, indices).add(1).div(2)


def _splits(data: str) -> tuple[str, ...]:
    from ganzoo.data.catalog import find
    from ganzoo.plugins.host import default

    return find(data, default().data).splits


def _short(value: float) -> float:
    """Six significant digits."""
    return float(f"{float(value):.6g}")
