"""The named data sets: declarations, without torch and without pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.data import torchvision_names
from ganzoo.errors import DataError, TaskError, UnknownNameError, choices, nearest
from ganzoo.spec.draws import Image, Label
from ganzoo.spec.variant import Fields

if TYPE_CHECKING:
    from ganzoo.data.source import Source


@dataclass(frozen=True)
class FeatureExtractor:
    """A net that computes features of a data set's images for metrics.

    Args:
        name: the model, as `ganzoo.from_pretrained` takes it: a classifier, or a matcher of images
            and sentences. sha256: of its weights; figures of other weights are not comparable.
        fields: its names of fields of labels, by those of the data, where these differ:
            `{"label": "hair_colour"}`.
        apart: it is applied to each channel separately, to the centre of images that are larger
            than its own. The class of an image then has its channels' classes as digits.
    """

    name: str
    sha256: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    apart: bool = False


@dataclass(frozen=True)
class Domains:
    """The classes of the images of two unpaired fields.

    Args:
        label: the label field that tells the domains apart.
        classes: the classes of each image field; those at the same position of two domains are the
            same thing in another domain.
    """

    label: str
    classes: Mapping[str, Sequence[int]]

    def belong(self, seen: Any, domain: str) -> Any:
        """Which of the class numbers, int (n,), belong to a domain: bool (n,)."""
        import numpy as np

        return np.isin(seen, list(self.classes[domain]))

    def moved(self, seen: Any, domain: str) -> Any:
        """The class numbers, int (n,), of the same things in a domain; -1 where it has none."""
        import numpy as np

        places = {
            number: place for own in self.classes.values() for place, number in enumerate(own)
        }
        there = [*self.classes[domain]]
        found = [places.get(int(number), len(there)) for number in seen]
        return np.array([there[place] if place < len(there) else -1 for place in found])


@dataclass(frozen=True)
class Sentence:
    """A sentence that is not a caption, with what it says: `{"label": 3, "colour": 0}`.

    Args:
        text: the sentence. says: the class of each label field that it names; fields that it leaves
            open are missing.
    """

    text: str
    says: Mapping[str, int]


@dataclass(frozen=True)
class DataSet:
    """A data set for `ganzoo train --data NAME`.

    Args:
        name: unique. fields: its contents. summary: one sentence.
        size: the number of training images.
        licence: its licence, and whom to credit. source: where it comes from.
        load: `load(declared, split, roots) -> Source`, or `"module:attribute"`, imported at
            first use. `declared` is this declaration; `roots` are folders to look in,
            in order, of which only the last may be written to.
        splits: what `split` may be. flips: training may mirror the images.
        hub: the name of the same data on the Hugging Face Hub, if they are there.
        feature_extractors: the nets that compute features for metrics; distances use the first.
        domains: where it has unpaired fields of images, which classes they are of.
        partners: whether row i of unpaired fields is the same thing in the test split, where they
            have one length.
        live: it is small and needs no download, so the demo offers live training on it.
        sentences: if it has captions, returns other sentences, paraphrases and ones that leave
            something out, with which metrics test whether a model obeys.
    """

    name: str
    fields: Fields
    summary: str
    size: int
    licence: str
    source: str
    load: Callable[[DataSet, str, tuple[Path, ...]], Source] | str = field(repr=False)
    splits: tuple[str, ...] = ("train", "test")
    flips: bool = False
    hub: str = ""
    feature_extractors: tuple[FeatureExtractor, ...] = ()
    domains: Domains | None = None
    partners: bool = True
    live: bool = False
    sentences: Callable[[], Sequence[Sentence]] | None = field(default=None, repr=False)

    def loader(self) -> Callable[[DataSet, str, tuple[Path, ...]], Source]:
        """The callable behind `load`; imports torch for the core's."""
        if callable(self.load):
            return self.load
        module, _, attribute = self.load.partition(":")
        return getattr(import_module(module), attribute)


def _classes(name: str, names: tuple[str, ...]) -> Fields:
    """Grey images of 28x28 pixels with a class each."""
    label = Label(classes=len(names), names=names)
    return Fields(name=name, fields={"image": Image(shape=(1, 28, 28)), "label": label})


_DIGITS = tuple("0123456789")
_GARMENTS = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_DIGITS_EXTRACTOR = FeatureExtractor(
    "classifier-mnist", "e22a852bde404b7a11ff94ef35e3c9c26128ddaa17b9115ca2e4bec70cdfea32"
)
_MNIST_LICENCE = "CC BY-SA 3.0, Yann LeCun and Corinna Cortes"
_MNIST_SOURCE = "http://yann.lecun.com/exdb/mnist/"


def _torchvision() -> tuple[DataSet, ...]:
    """Data sets that torchvision reads, in the size that papers on GANs use."""

    def declared(
        name: str, shape: tuple[int, int, int], summary: str, size: int, licence: str, source: str,
        names: tuple[str, ...] = (), classes: int = 0, hub: str = "", flips: bool = True,
    ) -> DataSet:  # fmt: skip
        found: dict[str, Any] = {"image": Image(shape=shape)}
        if names or classes:
            found["label"] = Label(classes=classes or len(names), names=names)
        return DataSet(
            name=name,
            fields=Fields(name=name, fields=found),
            summary=summary,
            size=size,
            licence=licence,
            source=source,
            load="ganzoo.data.torchvision_sets:load",
            flips=flips,
            hub=hub,
        )

    return tuple(declared(**row) for row in torchvision_names.ROWS)


DATASETS: dict[str, DataSet] = {
    declared.name: declared
    for declared in (
        DataSet(
            name="digits",
            fields=_classes("digits", _DIGITS),
            summary="The first 1,000 training images of each MNIST digit; comes with ganzoo.",
            size=10_000,
            live=True,
            licence=_MNIST_LICENCE,
            source=_MNIST_SOURCE,
            load="ganzoo.data.loading:digits",
            splits=("train",),
            feature_extractors=(_DIGITS_EXTRACTOR,),
        ),
        DataSet(
            name="mnist",
            fields=_classes("mnist", _DIGITS),
            summary="Handwritten digits, 28x28 grey.",
            size=60_000,
            licence=_MNIST_LICENCE,
            source=_MNIST_SOURCE,
            load="ganzoo.data.loading:mnist",
            hub="ylecun/mnist",
            feature_extractors=(_DIGITS_EXTRACTOR,),
        ),
        DataSet(
            name="stacked-mnist",
            fields=Fields(
                name="stacked-mnist",
                fields={
                    "image": Image(shape=(3, 32, 32)),
                    "label": Label(1000, names=tuple(f"{mode:03}" for mode in range(1000))),
                },
            ),
            summary="Three MNIST digits as red, green and blue: 1,000 modes, to count; 32x32.",
            size=60_000,
            live=True,
            licence=_MNIST_LICENCE,
            source=f"{_MNIST_SOURCE}; arXiv:1611.02163",
            load="ganzoo.data.loading:stacked_mnist",
            feature_extractors=(replace(_DIGITS_EXTRACTOR, apart=True),),
        ),
        DataSet(
            name="fashion-mnist",
            fields=_classes("fashion-mnist", _GARMENTS),
            summary="Photographs of clothes, 28x28 grey; in the format of MNIST, and harder.",
            size=60_000,
            licence="MIT, Zalando SE",
            source="arXiv:1708.07747",
            load="ganzoo.data.loading:fashion_mnist",
            hub="zalando-datasets/fashion_mnist",
            feature_extractors=(
                FeatureExtractor(
                    "classifier-fashion-mnist",
                    "c8c215b445bf37b8861d3153ec9372a31b615b7a2e8e32e6e36ee5594a46ab2e",
                ),
            ),
        ),
        *_torchvision(),
    )
}


def find(name: str, extra: Mapping[str, DataSet] | None = None) -> DataSet:
    """The declaration of a name: one of `DATASETS`, of `extra` (the plugins'), or a folder.

    A folder is named `folder:PATH`, with options as `ganzoo.data.folder` lists them, a data set
    of the Hugging Face Hub `hf:org/name` (`ganzoo.data.hugging_face`). Size and channels are
    guessed from some of its pictures if they are not given. `mnist,without=2` (or `without=2+7`;
    by number or name) leaves classes out of the training split, so that a model trained on it has
    not seen them; the test split keeps them.

    Raises:
        UnknownNameError: there is no such name.
        DataError: the folder is missing, has no pictures, or an option is not allowed.
    """
    if name.startswith("folder:"):
        return _folder(name)
    if name.startswith("hf:"):
        return _hugging_face(name)
    known = {**DATASETS, **(extra or {})}
    base, comma, option = name.partition(",")
    if comma and base in known:
        return _without(known[base], name, option)
    if name not in known:
        if Path(name.partition(",")[0]).expanduser().is_dir():
            raise UnknownNameError(
                f"no data set {name!r}, but a folder; pictures of your own are named folder:{name}"
            )
        raise UnknownNameError(
            f"no data set {name!r}{nearest(name, known)} known: {choices(known)}, folder:PATH "
            "for pictures of your own, and hf:org/name for the Hugging Face Hub"
        )
    return known[name]


def fields_of(name: str, extra: Mapping[str, DataSet] | None = None) -> Fields:
    """The fields of the data set of that name, without loading it; raises as `find` does."""
    return find(name, extra).fields


def _without(base: DataSet, name: str, option: str) -> DataSet:
    """The data set with classes left out of its training split."""
    labels = {f: d for f, d in base.fields.fields.items() if isinstance(d, Label)}
    words = option.removeprefix("without=").split("+")
    if not option.startswith("without=") or not all(words):
        raise DataError(
            f"{name!r}: the option of a data set is without=CLASS or without=CLASS+CLASS, such as "
            f"{base.name},without=0"
        )
    if len(labels) != 1:
        raise DataError(f"{name!r}: {base.name} has no classes to leave out")
    ((field, label),) = labels.items()
    left_out = {_class(base, label, word) for word in words}
    if len(left_out) == label.classes:
        raise DataError(
            f"{name!r}: classes are 0 to {label.classes - 1}, and at least one must remain"
        )

    def load(declared: DataSet, split: str, roots: Any) -> Source:
        import torch

        source = base.loader()(base, split, roots)
        source.name = declared.name
        if split != "train":
            return source
        found = source.batch(field, torch.arange(source.length(field)))
        kept = torch.isin(found, torch.tensor(sorted(left_out)), invert=True)
        return source.select(kept.nonzero().flatten())

    some = ", ".join(map(str, sorted(left_out)))
    return replace(
        base, name=name, summary=f"{base.summary} Class {some} is left out of training.", load=load
    )


def _class(base: DataSet, label: Label, word: str) -> int:
    """The number of a class by name, or by number if no class has that name."""
    try:
        return label.number(word)
    except TaskError:
        number = int(word) if word.isascii() and word.isdigit() and len(word) < 6 else -1
        if 0 <= number < label.classes:
            return number
    names = f", or {choices(label.names)}" if label.names else ""
    raise DataError(
        f"{base.name} has no class {word!r}{nearest(word, label.names)} classes are 0 to "
        f"{label.classes - 1}{names}, such as {base.name},without=0"
    )


def _folder(name: str) -> DataSet:
    from ganzoo.data.folder import Folder

    folder = Folder.parse(name)

    def load(declared: DataSet, split: str, roots: Any) -> Source:
        return folder.source(declared.name, declared.fields, split)

    return DataSet(
        name=name,
        fields=folder.fields,
        summary=f"{len(folder.files):,} pictures of your own.",
        size=folder.expected(),
        licence="",
        source="",
        load=load,
        splits=folder.splits,
        flips=folder.flip,
        partners=folder.domains is None or folder.domains.paired,
    )


def _hugging_face(name: str) -> DataSet:
    from ganzoo.data.hugging_face import HubData

    found = HubData(name)

    def load(declared: DataSet, split: str, roots: Any) -> Source:
        return found.source(declared.name, split)

    return DataSet(
        name=name,
        fields=found.fields,
        summary=f"{found.expected():,} pictures of {found.named.path}.",
        size=found.expected(),
        licence="",
        source="" if found.named.local else f"https://huggingface.co/datasets/{found.named.path}",
        load=load,
        splits=found.splits,
        flips="flip" in found.named.flags,
    )
