"""2,624 solar cells in electroluminescence, normal and defective, for models of what is normal.

The pictures are in the package `elpv-dataset`, which this plugin requires; none are bundled. They
are under CC BY-NC-SA 4.0: **not for commercial use**, and derived works are under the same terms.
Buerhop-Lutz et al., "A benchmark for visual identification of defective
solar cells in electroluminescence imagery", EU PVSEC 2018,
doi 10.4229/35thEUPVSEC20182018-5CV.3.15.

Experts gave each cell a probability of being defective: 0, 1/3, 2/3 or 1. Cells of 0 are normal and
those of 1 defective; the 401 between are in no split, since what they are is unknown
(`cells()` has them). Training has normal cells alone. Which cell is in which split is a hash of its
file's name, so it never changes:

- train: 65 % of the normal cells
- validation, for choosing a model or a threshold: 10 % of the normal and 20 % of the defective ones
- test: 25 % of the normal and 80 % of the defective ones

The data do not say which cells are of one module, so cells of a module are in several splits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganzoo import DataSet, Fields, GanzooError, hookimpl
from ganzoo.spec import Image, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ganzoo import Source

PACKAGE = "elpv-dataset"
KINDS = ("mono", "poly")
VERDICTS = ("normal", "defective")
SPLITS = ("train", "validation", "test")
LICENCE = (
    "CC BY-NC-SA 4.0, not for commercial use; Buerhop-Lutz, Deitsch, Maier, Gallwitz, Berger, "
    "Doll, Hauch, Camus and Brabec"
)


@dataclass(frozen=True)
class Cell:
    """One solar cell.

    Args:
        file: its picture in the package, 300x300 grey.
        probability: of a defect, in [0, 1], as rated by experts.
        kind: of the silicon, mono- or polycrystalline.
        split: its split; "" if it is in none.
    """

    file: str
    probability: float
    kind: Literal["mono", "poly"]
    split: str

    @property
    def defective(self) -> bool:
        return self.probability == 1


def split_of(file: str, probability: float) -> str:
    """The split of a cell; "" if it is in none."""
    place = int.from_bytes(hashlib.sha256(file.encode()).digest()[:4], "big") / 2**32
    if probability == 0:
        return "test" if place < 0.25 else "validation" if place < 0.35 else "train"
    if probability == 1:
        return "test" if place < 0.8 else "validation"
    return ""


@cache
def cells() -> tuple[Cell, ...]:
    """All 2,624 cells, in the order of the package.

    Raises:
        GanzooError: the package is not installed, or it has no list of cells.
    """
    path = folder() / "labels.csv"
    try:
        rows = [line.split() for line in path.read_text("utf-8").splitlines() if line.strip()]
        found = [(file, round(float(probability), 2), kind) for file, probability, kind in rows]
    except (OSError, ValueError) as error:
        raise GanzooError(
            f"{PACKAGE} is installed, but its list of cells cannot be read ({error}); "
            f"install it anew: pip install --force-reinstall {PACKAGE}"
        ) from None
    return tuple(Cell(file, p, kind, split_of(file, p)) for file, p, kind in found)  # type: ignore[arg-type]


def folder() -> Path:
    """The folder of the package with the pictures; GanzooError if it is not installed."""
    package = find_spec("elpv_dataset")
    for place in (package and package.submodule_search_locations) or ():
        return Path(place) / "data"
    raise GanzooError(
        f"the solar cells are in the package {PACKAGE} (91 MB, not for commercial use), "
        f"which is not installed: pip install {PACKAGE}"
    )


def pixels(some: Sequence[Cell], side: int = 64) -> np.ndarray:
    """The pictures of cells, uint8 (n, side, side), resized as pictures in folders are.

    Raises:
        GanzooError: a picture cannot be read, or the package is not installed.
    """
    import numpy as np
    from PIL import Image as Picture

    made = np.empty((len(some), side, side), np.uint8)
    for row, cell in enumerate(some):
        try:
            with Picture.open(folder() / cell.file, formats=["PNG"]) as picture:
                small = picture.convert("L").resize((side, side), Picture.Resampling.LANCZOS)
        except OSError as error:
            raise GanzooError(
                f"{PACKAGE} is installed, but its picture {cell.file!r} cannot be read ({error}); "
                f"install it anew: pip install --force-reinstall {PACKAGE}"
            ) from None
        made[row] = np.asarray(small)
    return made


def load(
    kinds: tuple[str, ...], side: int, declared: DataSet, split: str, roots: tuple[Path, ...]
) -> Source:
    """The cells of these kinds that are in a split."""
    import numpy as np

    from ganzoo import Source

    some = [cell for cell in cells() if cell.split == split and cell.kind in kinds]
    arrays = {
        "image": pixels(some, side)[:, None],
        "label": np.array([cell.defective for cell in some], np.int64),
        "kind": np.array([KINDS.index(cell.kind) for cell in some]),
    }
    fields = declared.fields.fields
    return Source(
        declared.name,
        declared.fields,
        {name: arrays[name] for name in fields},
        flips=declared.flips,
    )


def _declared(name: str, kinds: tuple[str, ...], side: int, size: int) -> DataSet:
    of = f"{kinds[0]}crystalline" if len(kinds) == 1 else "mono- and polycrystalline"
    kind = {"kind": Label(2, field="kind", names=KINDS)} if len(kinds) > 1 else {}
    return DataSet(
        name=name,
        fields=Fields(
            {"image": Image((1, side, side)), "label": Label(2, names=VERDICTS), **kind}, name
        ),
        summary=f"Solar cells ({of}) in electroluminescence, {side}x{side} grey: normal ones for "
        "training, normal and defective ones in the other splits. Not for commercial use.",
        size=size,
        licence=LICENCE,
        source="https://github.com/zae-bayern/elpv-dataset",
        load=partial(load, kinds, side),
        splits=SPLITS,
        flips=True,
    )


@hookimpl
def ganzoo_data():
    return [
        _declared(f"{name}{suffix}", kinds, side, size)
        for suffix, side in (("", 64), ("-128", 128))
        for name, kinds, size in (
            ("solar-mono", ("mono",), 382),
            ("solar-poly", ("poly",), 615),
            ("solar", KINDS, 997),
        )
    ]
