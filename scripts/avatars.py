"""Pack the part layers of plugins/ganzoo-avatars from a folder of prepared ones.

    GANZOO_DATA=FOLDER python scripts/avatars.py

FOLDER/avatars has `attributes.json`, `toon-head-64.npz`, `adventurer-64.npz` and
`pixel-art-16.npz`: the parts of three DiceBear styles (npm @dicebear/toon-head, adventurer and
pixel-art 9.4.3), each rendered on its own, areas of a chosen colour kept as coverage masks. What is
kept of the first is the order of the groups, the parts in the order of the layers, and the names
of the colours.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "plugins" / "ganzoo-avatars" / "ganzoo_avatars"
FILES = {
    "toon-head": "toon-head-64.npz",
    "adventurer": "adventurer-64.npz",
    "pixel-art": "pixel-art-16.npz",
}


def main() -> None:
    folder = Path(os.environ["GANZOO_DATA"]) / "avatars"
    given = json.loads((folder / "attributes.json").read_text("utf-8"))["styles"]
    kept = {
        name: {key: given[name][key] for key in ("order", "colours", "parts")} for name in FILES
    }
    parts = PACKAGE / "parts"
    parts.mkdir(exist_ok=True)
    lines = ",\n".join(
        f" {json.dumps(name)}: {json.dumps(style, separators=(',', ':'))}"
        for name, style in kept.items()
    )
    (parts / "styles.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")
    for name, file in FILES.items():
        shutil.copyfile(folder / file, parts / f"{name}.npz")


if __name__ == "__main__":
    main()
