"""Two domains of pictures: subfolders `a` and `b`, paired where they hold the same names.

photos/a/1.png  photos/b/1.png        the same names: row by row, as pix2pix needs
photos/a/x.png  photos/b/y.png        others: unpaired, as CycleGAN and DiscoGAN need
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.data.picture_files import counted
from ganzoo.errors import DataError, choices
from ganzoo.spec.draws import Image
from ganzoo.spec.variant import Fields

if TYPE_CHECKING:
    import numpy as np

    from ganzoo.data.folder import Folder
    from ganzoo.data.source import Source

DOMAINS = ("a", "b")


class DomainFolders:
    """The pictures of a folder in two domains.

    Args:
        folder: the folder, whose classes are `a` and `b`.
        pairs: False: pictures are no pairs, whatever their names.
    """

    def __init__(self, folder: Folder, *, pairs: bool = True) -> None:
        self.folder, self._pairs = folder, pairs

    def _place(self, file: Path) -> tuple[str, str, str]:
        """Split, domain, and the name that partners share."""
        parts = file.relative_to(self.folder.path).with_suffix("").parts
        split = parts[0] if self.folder.divided else "train"
        parts = parts[1:] if self.folder.divided else parts
        return split, parts[0], "/".join((split, *parts[1:]))

    @cached_property
    def _named(self) -> dict[str, dict[str, Path]]:
        """The files of each domain by the name that partners share, sorted."""
        found: dict[str, dict[str, Path]] = {domain: {} for domain in DOMAINS}
        for file in self.folder.files:
            _, domain, name = self._place(file)
            if name in found[domain]:
                name = f"{name}\0{file.suffix}"  # x.png beside x.jpg
            found[domain][name] = file
        return {domain: dict(sorted(files.items())) for domain, files in found.items()}

    @cached_property
    def paired(self) -> bool:
        """Whether each picture has a partner in the other domain."""
        a, b = (self._named[domain] for domain in DOMAINS)
        return self._pairs and [*a] == [*b]

    @property
    def fields(self) -> Fields:
        image = self.folder.shape
        return Fields(
            name=self.folder.path.resolve().name,
            fields={d: Image(shape=image, field=d, independent=not self.paired) for d in DOMAINS},
            lacking={
                "image": ""
                if self.paired
                else f"a and b are two domains, {self._unpaired()}; for "
                f"one of them, name its folder: folder:{self.folder.path.name}/a",
                "label": "the subfolders a and b are two domains, and not classes",
            },
        )

    def _unpaired(self) -> str:
        """Why the pictures are not pairs."""
        if not self._pairs:
            return "not taken as pairs (pairs=no)"
        a, b = (self._named[domain] for domain in DOMAINS)
        alone = [f"a/{name}" for name in a if name not in b]
        alone += [f"b/{name}" for name in b if name not in a]
        names = choices((name.replace("/train/", "/", 1).split("\0")[0] for name in alone), 3)
        both = len({*a} & {*b})
        return f"not pairs, as {both:,} names are in both and {len(alone):,} in only one: {names}"

    def expected(self) -> int:
        """About how many samples there are to train on."""
        most = max(
            sum(self._place(file)[0] == "train" for file in self._named[domain].values())
            for domain in DOMAINS
        )
        return most - round(self.folder.test * most)

    def source(self, name: str, fields: Fields, split: str) -> Source:
        """The pictures of a split, decoded; raises as `Folder.source`."""
        from ganzoo.data.decoded import decoded
        from ganzoo.data.source import Source

        folder = self.folder
        files = self._of(split)
        if not all(files.values()):
            raise DataError(
                f"{name!r}: there is no picture for the split {split!r} in one of the domains; "
                "give more of them, or another test="
            )

        def read(which: str) -> dict[str, tuple[np.ndarray, dict[int, str]]]:
            shape, how = folder.shape, folder.preprocessing
            made = {
                domain: decoded(
                    folder.path, some, shape, how, strict=folder.strict, part=f"{which} of {domain}"
                )
                for domain, some in files.items()
            }
            return {domain: (one.pixels, one.skipped) for domain, one in made.items()}

        which = f"{split} {folder.test or ''} {'paired' if self.paired else ''}"
        made = read(which)
        skipped = {
            files[domain][place]: reason
            for domain, (_, ones) in made.items() for place, reason in ones.items()
        }  # fmt: skip
        if skipped and self.paired:  # a partner alone is no pair
            gone = {place for _, ones in made.values() for place in ones}
            files = {
                domain: tuple(f for n, f in enumerate(some) if n not in gone)
                for domain, some in files.items()
            }
            made = read(f"whole {which}")
        return Source(
            name,
            fields,
            {domain: pixels for domain, (pixels, _) in made.items()},
            flips=folder.flip,
            preprocessing=folder.preprocessing,
            report=self._report(files, skipped, split),
        )

    def _of(self, split: str) -> dict[str, tuple[Path, ...]]:
        """The files of each domain in a split."""
        import numpy as np

        from ganzoo.data.splits import file_keys, held_out

        folder = self.folder
        chosen = {domain: tuple(self._named[domain].values()) for domain in DOMAINS}
        if not folder.divided and not folder.test:
            return chosen
        known = dict(zip(folder.files, file_keys(folder.path, folder.files), strict=True))
        keys = {
            domain: np.array([known[file] for file in some], np.uint64)
            for domain, some in chosen.items()
        }
        if folder.divided:
            test = {
                domain: np.array([self._place(file)[0] == "test" for file in some])
                for domain, some in chosen.items()
            }
            copies = {d: ~test[d] & np.isin(keys[d], keys[d][test[d]]) for d in DOMAINS}
        else:
            test = {d: held_out(keys[d], folder.test) for d in DOMAINS}
            copies = {d: np.zeros(len(chosen[d]), bool) for d in DOMAINS}
        if self.paired:  # partners are on one side, and go together
            test["b"] = test["a"]
            copies["a"] = copies["b"] = copies["a"] | copies["b"]
        kept = {d: (test[d] if split == "test" else ~test[d] & ~copies[d]) for d in DOMAINS}
        return {
            domain: tuple(file for file, its in zip(some, kept[domain], strict=True) if its)
            for domain, some in chosen.items()
        }

    def _report(
        self, files: dict[str, Sequence[Path]] | dict[str, tuple[Path, ...]],
        skipped: dict[Path, str], split: str,
    ) -> list[str]:  # fmt: skip
        _, height, width = self.folder.shape
        numbers = " and ".join(f"{len(files[domain]):,} of {domain}" for domain in DOMAINS)
        what = counted(len(files["a"]), "pair") if self.paired else f"unpaired: {numbers}"
        lines = [f"{what} in {self.folder.path.resolve().name!r} ({split}) as {width}x{height}"]
        a, b = (self._named[domain] for domain in DOMAINS)
        if self._pairs and not self.paired and {*a} & {*b}:
            lines.append(self._unpaired())
        if skipped:
            named = [f"{file.name} ({reason})" for file, reason in [*skipped.items()][:5]]
            lines.append(f"skipped {len(skipped):,}: {'; '.join(named)}")
        return lines
