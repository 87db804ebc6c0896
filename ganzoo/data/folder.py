"""A folder of pictures as a data set: files, classes, how they are made to fit, splits. No torch.

    folder:PATH[,size=64][,channels=3][,fit=crop][,filter=lanczos][,background=white]
               [,test=0.1][,flip][,strict][,labels=no][,only=A+B][,without=C][,normal=A]
               [,captions=no][,pairs=no]

Pictures are found in all subfolders, turned upright and made to fit (`ganzoo.data.decoding`). One
that cannot be read is left out and named; with `strict` it is an error. With `test=0.1` a tenth
is for testing, by the hashes of the files. Subfolders `train` and `test` are splits. Subfolders
that hold all the pictures of the folder, or of its splits, are classes
(`ganzoo.data.class_folders`); `a` and `b` are two domains (`ganzoo.data.domain_folders`). Captions
come from a file beside the pictures (`ganzoo.data.caption_files`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.data import caption_files
from ganzoo.data.class_folders import ClassFolders
from ganzoo.data.decoding import Preprocessing, central
from ganzoo.data.domain_folders import DOMAINS, DomainFolders
from ganzoo.data.guessing import guess
from ganzoo.data.names import (
    CHANNELS,
    CLASSES,
    LARGEST,
    NO,
    PREFIX,
    SPLITS,
    preprocessing_of,
    split_name,
)
from ganzoo.data.picture_files import Found, counted, search
from ganzoo.errors import DataError, TaskError, choices
from ganzoo.spec.draws import DataDraw, Label, Text
from ganzoo.spec.draws import Image as ImageDraw
from ganzoo.spec.variant import Fields

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.data.decoded import Decoded
    from ganzoo.data.source import Source

NAMED = 5
"""Skipped pictures that are named."""
NORMAL_TEST = 0.2
"""The share of normal pictures that is for testing where `normal=` is given and `test=` is not."""


@dataclass(frozen=True)
class Folder:
    """Pictures in a folder, and what is made of them.

    Args:
        path: the folder. found: what lies in it.
        shape: (channels, height, width) that all get.
        preprocessing: how.
        test: the share of the pictures that is for testing; 0 for none.
        flip: training may mirror them.
        strict: one that cannot be read is an error.
        labels: whether the classes of its subfolders are a field of labels.
        only: the classes that there are; by default all.
        without: classes that are not trained on; where there is a test split, all of their
            pictures are in it.
        normal: the only classes that are trained on; the same as all others in `without`.
        captions: whether captions beside the pictures are read.
        pairs: whether pictures of `a` and `b` may be pairs.
    """

    path: Path
    found: Found
    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    test: float = 0.0
    flip: bool = False
    strict: bool = False
    labels: bool = True
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    captions: bool = True
    pairs: bool = True

    @classmethod
    def parse(cls, name: str) -> Folder:
        """The folder that `folder:PATH,options` names; what is not given is guessed by looking.

        Raises:
            DataError: an option is not allowed, the folder is missing or has no pictures,
                or none of those looked at can be read.
        """
        path, options = split_name(name)
        own = ("test", "flip", "strict", *NO, *CLASSES)
        folder = cls(
            path,
            search(path),
            (1, 1, 1),
            preprocessing_of(name),
            **{key: options[key] for key in own if key in options},
        )
        folder.classes.check(name)
        if folder.normal and not folder.test and not folder.divided:
            folder = replace(folder, test=NORMAL_TEST)
        if "size" not in options or "channels" not in options:
            options = {**guess(folder.files), **options}
        width, height = options["size"]
        folder = replace(folder, shape=(options["channels"], height, width))
        if folder.test and folder.divided:
            raise DataError(
                f"{name!r}: its subfolders 'train' and 'test' are the splits already; leave test= "
                f"out, or name the one to divide: {PREFIX}{path / 'train'},test={folder.test:g}"
            )
        return folder

    @property
    def size(self) -> int:
        """The longer side, in pixels."""
        return max(self.shape[1:])

    @cached_property
    def divided(self) -> bool:
        """Whether there are subfolders `train` and `test`, with pictures in both."""
        return {self._top(file) for file in self.found.files} >= set(SPLITS)

    @property
    def splits(self) -> tuple[str, ...]:
        return SPLITS if self.divided or self.test else SPLITS[:1]

    @cached_property
    def classes(self) -> ClassFolders:
        """What its subfolders say of the classes of its pictures."""
        inside = self.found.files
        parts = [file.relative_to(self.path).parts for file in inside]
        if self.divided:
            parts = [found[1:] for found in parts if found[0] in SPLITS]
        return ClassFolders(parts, self.only, self.without, self.normal)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The pictures of all splits, of the classes that there are."""
        files = self.found.files
        if self.divided:
            files = tuple(f for f in files if self._top(f) in SPLITS)
        files = tuple(f for f, kept in zip(files, self.classes.kept, strict=True) if kept)
        if self.told is None:
            return files
        texts = self.told.texts
        return tuple(file for file in files if self._named(file) in texts)

    @cached_property
    def told(self) -> caption_files.Captions | None:
        """The captions beside its pictures.

        Raises:
            DataError: their file is not what it should be, or names none of its pictures.
        """
        if not self.captions:
            return None
        found = caption_files.search(self.path, SPLITS if self.divided else ())
        if found and not any(self._named(file) in found.texts for file in self.found.files):
            first = f"has {next(iter(found.texts))!r}" if found.texts else "has no captions"
            raise DataError(
                f"{str(found.file)!r} names none of the pictures in {str(self.path)!r}: it "
                f"{first}, and there is {self._named(self.found.files[0])!r}; captions=no leaves "
                "it out"
            )
        return found

    def _named(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    @cached_property
    def domains(self) -> DomainFolders | None:
        """Its pictures in two domains, where its subfolders are `a` and `b`."""
        plain = not (self.only or self.without or self.normal)
        two = plain and self.classes.names == DOMAINS and self.told is None
        return DomainFolders(self, pairs=self.pairs) if two else None

    @property
    def fields(self) -> Fields:
        """Its images, and its labels and texts where it has some."""
        if self.domains:
            return self.domains.fields
        found: dict[str, DataDraw] = {"image": ImageDraw(shape=self.shape)}
        if self.labels and (names := self.classes.names):
            found["label"] = Label(classes=len(names), names=names)
        if self.told:
            found["text"] = Text(examples=self.told.examples())
        # the folder's own name alone, as the path to it is nobody else's business
        return Fields(name=self.path.resolve().name, fields=found, lacking=self._lacking())

    def _lacking(self) -> dict[str, str]:
        """How a folder comes to the kinds of fields that this one may not have."""
        labels = self.classes.lacking() if self.labels else "labels=no leaves its classes out"
        texts = f"captions.jsonl beside the pictures has a line for each: {caption_files.LINE}"
        two = f"two domains are the only subfolders of a folder, {choices(DOMAINS)}"
        return {
            "label": labels,
            "text": texts if self.captions else "captions=no leaves its captions out",
            **dict.fromkeys(DOMAINS, two),
        }

    def expected(self) -> int:
        """About how many pictures there are to train on: exactly, once all have been read."""
        if self.domains:
            return self.domains.expected()
        left_out = self._left_out
        trained = [f for f, strange in zip(self.files, left_out, strict=True) if not strange]
        if self.divided:
            return sum(self._top(file) == "train" for file in trained)
        return len(trained) - round(self.test * len(trained))

    def _top(self, file: Path) -> str:
        return file.relative_to(self.path).parts[0]

    def source(self, name: str, fields: Fields, split: str) -> Source:
        """The pictures of a split, decoded.

        Raises:
            DataError: a picture cannot be read and `strict` is asked for, none of the split can,
                or there is no room for the decoded ones.
        """
        if self.domains:
            return self.domains.source(name, fields, split)
        import numpy as np
        import torch

        from ganzoo.data.decoded import decoded
        from ganzoo.data.source import Source

        some = self.classes.names if self.only else ()
        part = " ".join((*some, "with captions")) if self.told else " ".join(some)
        all_ = decoded(
            self.path, self.files, self.shape, self.preprocessing, strict=self.strict, part=part
        )
        rows = self.rows(all_)
        if not len(rows[split]):
            raise DataError(
                f"{name!r}: {len(all_.pixels):,} pictures leave none for the split {split!r}; "
                + ("give more of them, or another test=" if self.test else "put some there")
            )
        arrays: dict[str, Any] = {"image": all_.pixels}
        if "label" in fields.fields:
            arrays["label"] = torch.from_numpy(np.delete(self._numbers, [*all_.skipped]))
        if self.told and "text" in fields.fields:
            arrays["text"] = self._embedded(all_)
        source = Source(
            name,
            fields,
            arrays,
            flips=self.flip,
            preprocessing=self.preprocessing,
            keys=lambda: self.keys(all_),
            report=self.report(all_, rows),
        )
        whole = len(rows[split]) == len(all_.pixels)
        return source if whole else source.select(torch.from_numpy(rows[split]))

    @cached_property
    def _numbers(self) -> np.ndarray:
        """The class of each of its files, int64."""
        import numpy as np

        number = {name: index for index, name in enumerate(self.classes.names)}
        place = 1 if self.divided else 0
        tops = (file.relative_to(self.path).parts[place] for file in self.files)
        return np.array([number.get(top, 0) for top in tops], np.int64)

    @property
    def _left_out(self) -> np.ndarray:
        """Which of its files are of classes that are not trained on: bool."""
        import numpy as np

        names = self.classes.names
        return np.isin(self._numbers, [names.index(name) for name in self.classes.untrained])

    def _embedded(self, all_: Decoded) -> np.ndarray:
        """The captions of the decoded pictures, as their encoder sees them."""
        from ganzoo.data.text_encoder import embed

        assert self.told is not None
        kept = (file for place, file in enumerate(self.files) if place not in all_.skipped)
        try:
            return embed([self.told.texts[self._named(file)] for file in kept], keep=True)
        except TaskError as error:
            raise DataError(
                f"{self.told.file.name}: {error}. captions=no leaves the captions out"
            ) from None

    def keys(self, all_: Decoded) -> np.ndarray:
        """A hash of the file of each decoded picture, uint64."""
        import numpy as np

        from ganzoo.data.splits import file_keys

        return np.delete(file_keys(self.path, self.files), [*all_.skipped])

    def rows(self, all_: Decoded) -> dict[str, np.ndarray]:
        """Which of the decoded pictures each split has, int64, in the order of the files."""
        import numpy as np

        from ganzoo.data.splits import held_out

        left_out = np.delete(self._left_out, [*all_.skipped])
        if self.divided:
            keys = self.keys(all_)
            tops = [self._top(f) for n, f in enumerate(self.files) if n not in all_.skipped]
            test = np.array(tops) == "test"
            train = ~test & ~np.isin(keys, keys[test])  # copies of test pictures go
        elif self.test:
            # what is never trained on is all for testing
            test = held_out(self.keys(all_), self.test) | left_out
            train = ~test
        else:
            train, test = np.ones(len(all_.pixels), bool), np.zeros(len(all_.pixels), bool)
        train &= ~left_out
        return {"train": train.nonzero()[0], "test": test.nonzero()[0]}

    # -------------------------------------------------------------------------- in words

    def report(self, all_: Decoded, rows: dict[str, np.ndarray]) -> list[str]:
        """What was read and how it was made to fit, what was left out and why."""
        import numpy as np

        _, height, width = self.shape
        how = ", ".join(f"{key}={value}" for key, value in self.preprocessing.to_dict().items())
        made = f"{width}x{height} {CHANNELS[self.shape[0]]} ({how})"
        number = counted(len(all_.pixels), "picture")
        lines = [f"{number} in {self.path.resolve().name!r} as {made}"]
        lines += self._fitting(all_)
        lines += self.classes.report(self._numbers, self.labels)
        if self.told:
            missing = sum(self.classes.kept) - len(self.files)
            lines.append(
                f"captions from {self.told.file.name}"
                + (f"; {counted(missing, 'picture')} without one left out" if missing else "")
                + (f"; of several, the first ({self.told.several:,})" if self.told.several else "")
            )
            known = {self._named(file) for file in self.found.files}
            unknown = [name for name in self.told.texts if name not in known]
            if unknown:
                lines.append(
                    f"{counted(len(unknown), 'caption')} of pictures that are not there: "
                    f"{choices(unknown, 3)}"
                )
        if len(self.splits) > 1:
            by = "by its subfolders" if self.divided else f"by hash (test={self.test:g})"
            train, test = (len(rows[split]) for split in SPLITS)
            lines.append(f"{train:,} to train on, {test:,} to test, divided {by}")
            copies = len(all_.pixels) - train - test
            if self.divided:
                tops = np.array([self._top(file) for file in self.files]) == "train"
                copies -= int(np.delete(tops & self._left_out, [*all_.skipped]).sum())
            if copies:
                lines.append(f"left out of training: {copies:,} copies of test pictures")
        if all_.skipped:
            named = [
                f"{self.files[place].relative_to(self.path).as_posix()} ({reason})"
                for place, reason in [*all_.skipped.items()][:NAMED]
            ]
            more = len(all_.skipped) - len(named)
            tail = f"; and {more:,} more" if more else ""
            lines.append(f"skipped {len(all_.skipped):,}: {'; '.join(named)}{tail}")
        in_splits = sum(self._top(file) in SPLITS for file in self.found.files)
        outside = len(self.found.files) - in_splits if self.divided else 0
        left_out = [f"{counted(outside, 'picture')} outside of train and test"] if outside else []
        left_out += [text] if (text := self.found.left_out()) else []
        return lines + ([f"left out: {'; '.join(left_out)}"] if left_out else [])

    def _fitting(self, all_: Decoded) -> list[str]:
        """What happens to pictures of the most common size, where that is worth knowing."""
        _, height, width = self.shape
        *size, number = all_.sizes[0]
        lines: list[str] = []
        most = f"{'all' if number == len(all_.pixels) else f'{number:,}'} are {size[0]}x{size[1]}"
        left, top, right, bottom = central((size[0], size[1]), (width, height))
        lost = 1 - (right - left) * (bottom - top) / (size[0] * size[1])
        if lost > 0.05:
            what = {
                "crop": f"crop cuts {lost:.0%} of their area away, pad and stretch would keep it",
                "pad": f"pad leaves {lost:.0%} of the image to the {self.preprocessing.background} "
                "background",
                "stretch": "stretch changes their proportions",
            }
            lines.append(f"{most}; fit={what[self.preprocessing.fit]}")
        if min(right - left, bottom - top) >= 2 * min(width, height) and self.size < LARGEST:
            lines.append(
                f"{most}, which is larger; size=... up to {LARGEST} would keep more detail"
            )
        if max(size) < min(width, height):
            lines.append(f"{most}, and are enlarged")
        return lines
