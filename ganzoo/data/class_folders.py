"""Subfolders as classes: the class of each picture, and which are trained on. No torch.

Every subfolder at the top of a folder (or of its `train` and `test`) is a class, by its own name,
if there are several and all pictures lie in them; what lies deeper belongs to the class above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ganzoo.errors import DataError, choices, nearest, plain

if TYPE_CHECKING:
    import numpy as np

MOST = 10_000
"""The most classes of a folder; more subfolders are not taken for classes."""
NAMED = 12
"""The most classes whose numbers of pictures are reported."""
USUALLY_NORMAL = ("normal", "good", "ok", "healthy")
"""Names for folders of pictures without defects, in data sets such as MVTec AD."""


class ClassFolders:
    """The classes of a folder.

    Args:
        parts: for each picture, the names of the path from the folder, or from its split:
            `("cat", "3.png")`.
        only: the classes to use, by name or number; by default all.
        without: those that are not trained on. normal: the only ones that are.
    """

    def __init__(
        self,
        parts: Sequence[tuple[str, ...]],
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        normal: Sequence[str] = (),
    ) -> None:
        self._parts = parts
        self._only, self._without, self._normal = only, without, normal

    @cached_property
    def found(self) -> tuple[str, ...]:
        """The names of all subfolders, sorted; none if they are not classes."""
        tops = {parts[0] for parts in self._parts if len(parts) > 1}
        alone = any(len(parts) == 1 for parts in self._parts)
        return () if alone or not 2 <= len(tops) <= MOST else tuple(sorted(tops))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers."""
        only = {self._named(word) for word in self._only}
        return tuple(name for name in self.found if not only or name in only)

    @cached_property
    def kept(self) -> list[bool]:
        """Which of the pictures are of these classes: all of them, if there are no classes."""
        names = {*self.names}
        return [not names or parts[0] in names for parts in self._parts]

    @cached_property
    def untrained(self) -> tuple[str, ...]:
        """The classes that are not trained on."""
        without = {self._named(word) for word in self._without}
        normal = {self._named(word) for word in self._normal}
        return tuple(
            name for name in self.names if name in without or (normal and name not in normal)
        )

    def check(self, name: str) -> None:
        """Raise if the options of a data set of that name do not fit its subfolders.

        Raises:
            DataError: they name a class that it does not have, or exclude all classes.
        """
        given = {"only": self._only, "without": self._without, "normal": self._normal}
        words = [word for word, classes in given.items() if classes]
        if not words:
            return
        if not self.found:
            raise DataError(f"{name!r}: {words[0]}= names classes, and it has none: {self._why()}")
        if "without" in words and "normal" in words:
            raise DataError(f"{name!r}: normal= and without= mean the same; give one of them")
        for word in words:
            for one in given[word]:
                if self._named(one) is None:
                    raise DataError(
                        f"{name!r}: {word}={one} is no class{nearest(one, self.found)} its "
                        f"subfolders: {choices(self.found)}"
                    )
        if len(self.untrained) == len(self.names):
            raise DataError(f"{name!r}: of {choices(self.names)}, one has to be trained on")

    def report(self, numbers: np.ndarray, labelled: bool) -> list[str]:
        """The classes, in words; or why there are none, if that may be unexpected.

        Args:
            numbers: the class of each picture, int (n,).
            labelled: whether they are a field of labels.
        """
        if not self.names:
            several = len({parts[0] for parts in self._parts if len(parts) > 1}) > 1
            return [f"no labels: {self._why()}"] if several and labelled else []
        counts = Counter(self.names[number] for number in numbers)
        said = [f"{plain(name, 40)} {counts[name]:,}" for name in self.names[:NAMED]]
        more = ", ..." if len(self.names) > NAMED else ""
        what = "classes" if labelled else "subfolders, not used as labels"
        lines = [f"{len(self.names):,} {what}: {', '.join(said)}{more}"]
        if self.untrained:
            number = sum(counts[name] for name in self.untrained)
            lines.append(f"not trained on: {choices(self.untrained, NAMED)}, {number:,} pictures")
        usual = [name for name in self.names if name.casefold() in USUALLY_NORMAL]
        if len(usual) == 1 and not self.untrained:
            lines.append(f"detectors of anomalies learn from one of them alone: normal={usual[0]}")
        return lines

    def _named(self, word: str) -> str | None:
        """The class of that name or, if there is none, of that number."""
        if word in self.found:
            return word
        folded = [name for name in self.found if name.casefold() == word.casefold()]
        if len(folded) == 1:
            return folded[0]
        number = int(word) if word.isascii() and word.isdigit() and len(word) < 6 else -1
        return self.found[number] if 0 <= number < len(self.found) else None

    def lacking(self) -> str:
        """What a folder without classes is told where some are needed."""
        return "" if self.names else f"classes are subfolders, two or more, and {self._why()}"

    def _why(self) -> str:
        """Why the subfolders are not classes."""
        tops = {parts[0] for parts in self._parts if len(parts) > 1}
        alone = sum(len(parts) == 1 for parts in self._parts)
        if not tops:
            return "its pictures lie in no subfolders"
        if alone:
            return f"{alone:,} of its pictures lie beside its subfolders, in none of them"
        if len(tops) == 1:
            return f"all of its pictures lie in one subfolder, {next(iter(tops))!r}; name that one"
        return f"{len(tops):,} subfolders are too many, at most {MOST:,} can be classes"
