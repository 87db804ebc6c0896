"""Pack the pictures of plugins/ganzoo-fluent from an unpacked npm package.

    npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
    python scripts/fluent.py package/assets

Of the emoji of ganzoo-emoji those are packed that the package has, without flags of countries
(Microsoft draws none, so those in the package are somebody else's) and without a picture that is
the same as another's. Each is laid on white, made smaller to 64x64 pixels and put into one lossless
WebP sheet.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import ganzoo_emoji
from ganzoo_fluent import COLUMNS, SIDE

PACKAGE = Path(__file__).parent.parent / "plugins" / "ganzoo-fluent" / "ganzoo_fluent"
COUNTRIES = ("country-flag", "subdivision-flag")


def bare(code: str) -> str:
    """Code points without the mark that asks for a picture, which houses set differently."""
    return code.replace("-fe0f", "")


def main() -> None:
    assets = {bare(path.stem): path for path in Path(sys.argv[1]).glob("*.webp")}
    files: list[str] = []
    tiles: dict[bytes, np.ndarray] = {}
    for emoji in ganzoo_emoji.records():
        path = assets.get(bare(Path(emoji.file).stem))
        if emoji.style != "noto" or path is None or emoji.subgroup in COUNTRIES:
            continue
        with Image.open(path, formats=["PNG"]) as picture:
            drawn = picture.convert("RGBA")
        white = Image.new("RGBA", drawn.size, "white")
        white.alpha_composite(drawn)
        small = white.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        tile = np.asarray(small)
        if tile.tobytes() in tiles:
            print(f"{emoji.name}: the same picture as another's, left out")
            continue
        tiles[tile.tobytes()] = tile
        files.append(emoji.file)
    rows = -(-len(files) // COLUMNS)
    sheet = np.full((rows * COLUMNS, SIDE, SIDE, 3), 255, np.uint8)
    sheet[: len(files)] = np.stack(list(tiles.values()))
    whole = sheet.reshape(rows, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2)
    picture = Image.fromarray(whole.reshape(rows * SIDE, COLUMNS * SIDE, 3))
    picture.save(PACKAGE / "fluent.webp", lossless=True, quality=100, method=6)
    (PACKAGE / "files.txt").write_text("\n".join(files) + "\n", "utf-8")
    print(f"{len(files)} emoji, {(PACKAGE / 'fluent.webp').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
