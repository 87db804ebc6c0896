"""Data sets of the Hugging Face Hub, and what the library `datasets` has written. No torch.

    hf:org/name[,config=...][,split=train][,test=test][,image=img][,label=y][,text=caption]
               [,revision=...][,size=64][,channels=3][,fit=crop][,filter=...][,flip][,strict]

`hf:PATH` is a folder of `save_to_disk`, or one that `load_dataset` reads. A repository is read at
one commit: the `revision` that is named, else the newest, which a run then keeps in its name. No
code of a repository runs. Tables are mapped from their files, and decoded pictures from another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ganzoo.data import decoding
from ganzoo.data.cache import appearing_whole, cache_dir
from ganzoo.data.decoding import Preprocessing, content, opened, turned_size
from ganzoo.data.guessing import GUESSES
from ganzoo.data.names import SPLITS, option_value
from ganzoo.errors import DataError, GanzooError, PictureError, choices, nearest, plain
from ganzoo.spec.draws import DataDraw, Image, Label, Text
from ganzoo.spec.variant import Fields
from ganzoo.workers import workers

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.data.decoded import Decoded
    from ganzoo.data.source import Source

PREFIX = "hf:"
COLUMNS = ("image", "label", "text")
WORDS = ("config", "split", "revision", *COLUMNS)
"""Options whose value is any word."""
MADE = ("size", "channels", *decoding.OPTIONS)
FLAGS = ("flip", "strict")
LOOKED_AT = 24
CHUNK = 256
MOST_CLASSES = 10_000


@dataclass(frozen=True)
class Named:
    """What a name says: `hf:PATH,options`.

    Args:
        path: a repository, or a folder. words: options that are words, and `test`.
        made: options of how pictures are made to fit. flags: `flip` and `strict`.
    """

    path: str
    words: dict[str, str] = field(default_factory=dict[str, str])
    made: dict[str, Any] = field(default_factory=dict[str, Any])
    flags: tuple[str, ...] = ()

    @property
    def local(self) -> bool:
        return Path(self.path).expanduser().exists()

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(**{k: v for k, v in self.made.items() if k in decoding.OPTIONS})


def parse(name: str) -> Named:
    """What a name says, without looking at the data.

    Raises:
        DataError: it names nothing, or an option is not allowed.
    """
    path, *options = name.removeprefix(PREFIX).split(",")
    if not path:
        raise DataError(f"{name!r} names no data set; write hf:org/name, or hf:FOLDER")
    words, made, flags = dict[str, str](), dict[str, Any](), list[str]()
    for option in options:
        key, equals, value = option.partition("=")
        if key in words or key in made or key in flags:
            raise DataError(f"{name!r} says {key!r} twice")
        if key in FLAGS and not equals:
            flags.append(key)
        elif key in MADE:
            made[key] = option_value(name, key, value)
        elif key in (*WORDS, "test") and value:
            words[key] = value
        else:
            known = (*WORDS, "test", *MADE, *FLAGS)
            raise DataError(
                f"{name!r}: no option {option!r}{nearest(key, known)} allowed: {choices(known)}"
            )
    return Named(path, words, made, tuple(flags))


def pinned(name: str) -> str:
    """The name of a data set that means the same tomorrow and from every working directory.

    A repository gets the commit that is the newest now; a folder its whole path.

    Raises:
        DataError: the hub does not tell.
    """
    found = parse(name)
    options = name.removeprefix(f"{PREFIX}{found.path}")
    if found.local:
        return f"{PREFIX}{Path(found.path).expanduser().absolute()}{options}"
    if "revision" in found.words and len(found.words["revision"]) == 40:
        return name
    from ganzoo.data.loading import offline

    if offline():
        return name
    commit = _commit(found.path, found.words.get("revision"))
    options = options.replace(f",revision={found.words.get('revision')}", "")
    return f"{PREFIX}{found.path}{options},revision={commit}"


def completed(name: str, shape: Sequence[int]) -> str:
    """The name with the size and channels of `shape`, where it leaves them open."""
    made = parse(name).made
    channels, height, width = shape
    size = str(width) if width == height else f"{width}x{height}"
    for key, value in (("size", size), ("channels", channels)):
        name += "" if key in made else f",{key}={value}"
    return name


def _commit(path: str, revision: str | None) -> str:
    from huggingface_hub import HfApi

    try:
        found = HfApi().dataset_info(path, revision=revision, timeout=10).sha
    except Exception as error:  # the hub's own errors, and those of its HTTP library
        raise DataError(
            f"the data set {path!r} cannot be found on the hub ({_said(error)})"
        ) from None
    return str(found)


def _said(error: Exception) -> str:
    return plain((str(error).strip().splitlines() or [type(error).__name__])[0])


@lru_cache(maxsize=4)
def _tables(path: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """The splits of a data set, as the library opens them."""
    if not find_spec("datasets"):
        raise DataError('data of Hugging Face need another package: pip install "ganzoo-core[hf]"')
    import datasets

    from ganzoo.data.loading import offline

    local = Path(path).expanduser()
    try:
        if (local / "dataset_dict.json").is_file() or (local / "state.json").is_file():
            found: Any = datasets.load_from_disk(str(local))
        elif local.exists():
            found = datasets.load_dataset(str(local), config)
        else:
            options: dict[str, Any] = {"revision": revision} if revision else {}
            if offline():
                options["download_config"] = datasets.DownloadConfig(local_files_only=True)
            found = datasets.load_dataset(path, config, **options)
    except GanzooError:
        raise
    except Exception as error:  # whatever the library, the hub or a damaged file raises
        where = "" if local.exists() else ". A folder is named hf:./FOLDER"
        raise DataError(f"the data set {path!r} cannot be opened ({_said(error)}){where}") from None
    return dict(found) if isinstance(found, dict) else {SPLITS[0]: found}


class HubData:
    """A data set of the library `datasets`, as `hf:...` names it.

    Raises:
        DataError: it cannot be opened, has no such column or split, or no pictures.
    """

    def __init__(self, name: str) -> None:
        self.name, self.named = name, parse(name)
        words = self.named.words
        self.tables = _tables(self.named.path, words.get("config"), words.get("revision"))
        self.split = self._there(words.get("split", SPLITS[0]), "split")
        self.share = self._share(words.get("test", ""))
        self.test = "" if self.share else words.get("test", "")
        if self.test:
            self._there(self.test, "test")
        elif not self.share and "test" in self.tables and self.split != "test":
            self.test = "test"
        self.features: dict[str, Any] = dict(self.tables[self.split].features)
        self.image = self._column("image", lambda one: type(one).__name__ == "Image")
        self.label = self._column("label", lambda one: type(one).__name__ == "ClassLabel")
        self.text = words.get("text", "")
        if self.image is None:
            raise DataError(f"{name!r} has no column of pictures; it has {choices(self.features)}")
        for column in filter(None, (self.label, self.text)):
            if column not in self.features:
                raise DataError(
                    f"{name!r} has no column {column!r}{nearest(column, self.features)} it has: "
                    f"{choices(self.features)}"
                )

    def _there(self, split: str, option: str) -> str:
        if split not in self.tables:
            raise DataError(
                f"{self.name!r}: {option}={split} is no split{nearest(split, self.tables)} it has: "
                f"{choices(self.tables)}"
            )
        return split

    def _share(self, value: str) -> float:
        """The share that is for testing, where `test` is a number."""
        if not value.replace(".", "", 1).isdigit():
            return 0.0
        return option_value(self.name, "test", value)

    def _column(self, word: str, fits: Any) -> str | None:
        """The column that is named, or the only one of its kind."""
        given = self.named.words.get(word)
        if given == "no" and word == "label":
            return None
        if given:
            if given not in self.features:
                raise DataError(
                    f"{self.name!r} has no column {given!r}{nearest(given, self.features)} it has: "
                    f"{choices(self.features)}"
                )
            return given
        found = [name for name, one in self.features.items() if fits(one)]
        usual = [name for name in found if name == word]
        if word == "image":
            return next(iter(usual or found), None)
        return (usual or found)[0] if len(usual or found) == 1 else None

    # -------------------------------------------------------------------------- declared

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS if self.test or self.share else SPLITS[:1]

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width): as named, else guessed from some of the pictures."""
        made = self.named.made
        if "size" not in made or "channels" not in made:
            made = {**self._guess(), **made}
        width, height = made["size"]
        return made["channels"], height, width

    @cached_property
    def classes(self) -> tuple[int, tuple[str, ...]]:
        """How many classes the label has, and their names; a column of words is its own names."""
        assert self.label
        feature = self.features[self.label]
        if type(feature).__name__ == "ClassLabel":
            return feature.num_classes, tuple(map(str, feature.names))
        if type(feature).__name__ != "Value":
            raise self._no_classes()
        values = {one for table in self._used() for one in table.unique(self.label)}
        if all(isinstance(one, str) for one in values) and len(values) <= MOST_CLASSES:
            return len(values), tuple(sorted(values))
        if (
            all(isinstance(one, int) for one in values)
            and 0 <= min(values) <= max(values) < MOST_CLASSES
        ):
            return max(values) + 1, ()
        raise self._no_classes()

    def _no_classes(self) -> DataError:
        return DataError(
            f"{self.name!r}: the column {self.label!r} holds no classes; those are whole numbers "
            "from 0, or words, in each row. label=no leaves it out"
        )

    @cached_property
    def fields(self) -> Fields:
        found: dict[str, DataDraw] = {"image": Image(shape=self.shape)}
        if self.label:
            count, names = self.classes
            found["label"] = Label(classes=count, names=names)
        if self.text:
            some = self.tables[self.split][self.text][:200]
            wrong = next((row for row, one in enumerate(some) if not isinstance(one, str)), None)
            if wrong is not None:
                raise self._no_sentence(wrong)
            short = [one for one in some if 0 < len(one) <= 500]
            found["text"] = Text(examples=tuple(dict.fromkeys(short))[:8])
        name = Path(self.named.path).name if self.named.local else self.named.path
        columns = f"it has the columns {choices(self.features)}"
        return Fields(
            name=name.replace("/", "-"),
            fields=found,
            lacking={
                "label": f"label=COLUMN names a column of classes; {columns}",
                "text": f"text=COLUMN names a column of sentences; {columns}",
            },
        )

    def expected(self) -> int:
        rows = len(self.tables[self.split])
        return rows - round(self.share * rows)

    def _used(self) -> list[Any]:
        return [self.tables[one] for one in dict.fromkeys((self.split, self.test)) if one]

    def _guess(self) -> dict[str, Any]:
        """Size and channels that suit some of the pictures."""
        from statistics import median

        table = self._raw(self.split)
        rows = range(0, len(table), max(1, len(table) // LOOKED_AT))
        sides, grey = list[int](), True
        unread: PictureError | None = None
        for row in rows:
            try:
                with _picture(table[row][self.image], row) as picture:
                    sides.append(min(turned_size(picture)))
                    red, green, blue = decoding.upright(picture, 3).split()
                    grey = grey and red.tobytes() == green.tobytes() == blue.tobytes()
            except PictureError as error:
                unread = error
        if not sides:
            raise unread or DataError(f"{self.name!r} has no rows")
        side = max((size for size in GUESSES if size <= median(sides)), default=GUESSES[0])
        return {"size": (side, side), "channels": 1 if grey else 3}

    def _raw(self, split: str) -> Any:
        """The table of a split, its pictures as bytes."""
        import datasets

        assert self.image
        feature = self.features[self.image]
        if type(feature).__name__ != "Image":
            raise DataError(f"{self.name!r}: the column {self.image!r} holds no pictures")
        return self.tables[split].cast_column(self.image, datasets.Image(decode=False))

    # -------------------------------------------------------------------------- loaded

    def source(self, name: str, split: str) -> Source:
        """The pictures of a split, decoded.

        Raises:
            DataError: a picture cannot be read and `strict` is asked for, or none can.
        """
        import numpy as np
        import torch

        from ganzoo.data.source import Source
        from ganzoo.data.splits import held_out

        table = self.test if split == "test" and self.test else self.split
        pixels = self._decoded(table)
        kept = [row for row in range(len(self.tables[table])) if row not in pixels.skipped]
        arrays: dict[str, Any] = {"image": pixels.pixels}
        if self.label:
            arrays["label"] = self._numbers(table)[kept]
        if self.text:
            arrays["text"] = self._embedded(table, kept)
        source = Source(
            name, self.fields, arrays,
            flips="flip" in self.named.flags,
            preprocessing=self.named.preprocessing,
            report=self._report(table, pixels),
        )  # fmt: skip
        if not self.share:
            return source
        test = held_out(source.keys(), self.share)
        rows = (test if split == "test" else ~test).nonzero()[0]
        if not len(rows):
            raise DataError(f"{name!r}: {len(test):,} pictures leave none for the split {split!r}")
        return source.select(torch.from_numpy(np.asarray(rows)))

    def _numbers(self, split: str) -> np.ndarray:
        import numpy as np

        values = self.tables[split][self.label][:]
        _, names = self.classes
        if values and isinstance(values[0], str):
            places = {name: number for number, name in enumerate(names)}
            values = [places[value] for value in values]
        if any(value is None or value < 0 for value in values):
            raise DataError(
                f"{self.name!r}: the split {split!r} has rows without a class; label=no leaves "
                "classes out"
            )
        return np.array(values, np.int64)

    def _embedded(self, split: str, kept: list[int]) -> np.ndarray:
        from ganzoo.data.text_encoder import embed

        texts = self.tables[split][self.text][:]
        wrong = next((row for row in kept if not isinstance(texts[row], str)), None)
        if wrong is not None:
            raise self._no_sentence(wrong)
        return embed([texts[row] for row in kept], keep=True)

    def _no_sentence(self, row: int) -> DataError:
        words = [
            name for name, one in self.features.items() if getattr(one, "dtype", "") == "string"
        ]
        return DataError(
            f"{self.name!r}: row {row} of {self.text!r} is not a sentence; columns of text: "
            f"{choices(words)}"
        )

    def _decoded(self, split: str) -> Decoded:
        """The pictures of a split as pixels, mapped from a file that is written once."""
        from ganzoo.data import decoded

        table = self._raw(split)
        made = (
            decoded.DECODER, table._fingerprint, self.image, self.shape,
            sorted(self.named.preprocessing.to_dict().items()),
        )  # fmt: skip
        digest = hashlib.sha256(repr(made).encode()).hexdigest()[:16]
        kept = cache_dir() / "decoded" / f"hf-{digest}.npy"
        found = decoded.read(kept) if kept.exists() else None
        if found is None:
            try:
                with appearing_whole(kept) as out:
                    self._write(out, table)
            except OSError as error:
                raise DataError(
                    f"the pictures of {self.name!r} cannot be kept decoded in "
                    f"{str(kept.parent)!r} ({error.strerror or error}); point XDG_CACHE_HOME "
                    "elsewhere"
                ) from None
            found = decoded.read(kept)
            assert found is not None
        if found.skipped and "strict" in self.named.flags:
            row, reason = next(iter(found.skipped.items()))
            raise PictureError(f"{self.named.path}, row {row}", reason)
        return found

    def _write(self, out: IO[bytes], table: Any) -> None:
        from ganzoo.data.decoded import write_pixels

        skipped = write_pixels(out, len(table), self.shape, self._each(table))
        if len(skipped) == len(table):
            raise DataError(
                f"none of the {len(table):,} pictures of {self.name!r} can be read; the first: "
                f"{skipped.get(0, 'no rows')}"
            )

    def _each(self, table: Any) -> Iterator[Any]:
        """Size and pixels of each row, or why it cannot be read."""
        preprocessing = self.named.preprocessing

        def one(numbered: tuple[int, Any]) -> Any:
            row, value = numbered
            try:
                with _picture(value, row) as picture:
                    return turned_size(picture), preprocessing.decoded(picture, self.shape)
            except PictureError as error:
                return error

        with workers() as threads:
            for start in range(0, len(table), CHUNK):
                values = table[start : start + CHUNK][self.image]
                yield from threads.map(one, enumerate(values, start))

    def _report(self, split: str, found: Decoded) -> list[str]:
        _, height, width = self.shape
        revision = self.named.words.get("revision", "")
        at = f" at {revision[:12]}" if revision else ""
        lines = [
            f"{len(found.pixels):,} pictures of {self.named.path} ({split}{at}) as "
            f"{width}x{height}, fingerprint {self.tables[split]._fingerprint}"
        ]
        others = [
            name for name, one in self.features.items()
            if type(one).__name__ == "Image" and name != self.image
        ]  # fmt: skip
        if others and "image" not in self.named.words:
            lines.append(f"pictures from {self.image!r}; image= names others: {choices(others)}")
        if self.label:
            count, names = self.classes
            some = f": {', '.join(plain(name, 30) for name in names[:8])}" if names else ""
            lines.append(f"{count:,} classes from {self.label!r}{some}")
        if found.skipped:
            some = [f"row {row} ({reason})" for row, reason in [*found.skipped.items()][:5]]
            lines.append(f"skipped {len(found.skipped):,}: {'; '.join(some)}")
        return lines


def _picture(value: Any, row: int) -> Any:
    """A picture of a table, opened: its bytes, or the file that it names."""
    if not isinstance(value, dict) or not (value.get("bytes") or value.get("path")):
        raise PictureError(f"row {row}", "no picture")
    path = Path(value.get("path") or f"row {row}")
    return opened(path, value.get("bytes") or content(path))
