"""Pack the pictures and captions of plugins/ganzoo-emoji from a folder of single files.

    GANZOO_DATA=FOLDER python scripts/emoji.py

FOLDER/emoji has `noto/` and `twemoji/`, 64x64 PNG files of the same names (the folders
img/google/64 and img/twitter/64 of emoji-datasource-google and emoji-datasource-twitter
16.0.0), and `captions.jsonl` (from emojibase-data 17.0.0): per file its name, tags, group
and subgroup. Each style becomes one lossless WebP sheet on white.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

from ganzoo_emoji import COLUMNS, SIDE, STYLES

PACKAGE = Path(__file__).parent.parent / "plugins" / "ganzoo-emoji" / "ganzoo_emoji"


def on_white(path: Path) -> np.ndarray:
    """uint8 (64, 64, 3)."""
    with Image.open(path, formats=["PNG"]) as picture:
        pixels = np.asarray(picture.convert("RGBA"), np.float64)
    if pixels.shape != (SIDE, SIDE, 4):
        raise SystemExit(f"{path}: not {SIDE}x{SIDE}")
    alpha = pixels[..., 3:] / 255
    return np.round(alpha * pixels[..., :3] + (1 - alpha) * 255).astype(np.uint8)


def base_of(row: dict[str, str]) -> str:
    """The code points without skin tone, sex and variation; all families are one."""
    if row["subgroup"] == "family":
        return "family"
    code = row["file"].removesuffix(".png")
    code = re.sub(r"-1f3f[b-f]|-fe0f", "", code)
    code = re.sub(r"-200d-264[02]", "", code)
    return re.sub(r"\b1f46[89]\b", "1f9d1", code)  # man and woman: person


def merged(bases: list[str], images: dict[str, np.ndarray]) -> list[str]:
    """The bases, where emoji of the same picture in either style have the same."""
    of = {base: base for base in bases}

    def root(base: str) -> str:
        while of[base] != base:
            base = of[base]
        return base

    for pictures in images.values():
        first: dict[bytes, str] = {}
        for base, picture in zip(bases, pictures, strict=True):
            other = root(first.setdefault(picture.tobytes(), base))
            low, high = sorted((other, root(base)))
            of[high] = low
    return [root(base) for base in bases]


def main() -> None:
    folder = Path(os.environ["GANZOO_DATA"]) / "emoji"
    rows = [
        json.loads(line)
        for line in (folder / "captions.jsonl").read_text("utf-8").split("\n")
        if line
    ]
    images = {
        style: np.stack([on_white(folder / style / row["file"]) for row in rows])
        for style in STYLES
    }
    for style, pictures in images.items():
        missing = -len(pictures) % COLUMNS
        blank = np.full((missing, SIDE, SIDE, 3), 255, np.uint8)
        tiles = np.concatenate([pictures, blank]).reshape(-1, COLUMNS, SIDE, SIDE, 3)
        sheet = tiles.swapaxes(1, 2).reshape(-1, COLUMNS * SIDE, 3)
        path = PACKAGE / f"{style}.webp"
        Image.fromarray(sheet).save(path, lossless=True, quality=100, method=6, exact=True)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    bases = merged([base_of(row) for row in rows], images)
    lines = [
        json.dumps(
            {**row, "file": row["file"].removesuffix(".png"), "base": base}, ensure_ascii=False
        )
        for row, base in zip(rows, bases, strict=True)
    ]
    (PACKAGE / "captions.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
