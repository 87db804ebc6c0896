"""R3GAN and StyleGAN2 as one screen of YAML each: the same Specs as those of their plugins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.plugins.host import default
from ganzoo.spec import Image

SPECS = Path(__file__).parents[1] / "docs" / "specs"
LINES = {"r3gan": 60, "stylegan2": 100}


def rounded(value: Any) -> Any:
    """Plain data with six digits of each number, those in expressions, too."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return f"{value:.6g}"
    number = r"(?<![A-Za-z_\d.])\d+\.?\d*(?:e[-+]?\d+)?"
    return re.sub(number, lambda found: f"{float(found[0]):.6g}", value)


@pytest.mark.parametrize("name", LINES)
def test_a_screen_of_yaml_is_the_variants_spec(name: str) -> None:
    path = SPECS / f"{name}.yaml"
    lines = path.read_text().splitlines()
    assert len(lines) <= LINES[name]
    assert max(map(len, lines)) <= 105
    fields = ganzoo.Fields(fields={"image": Image((3, 32, 32))})
    wanted = default().variant(name)().spec(fields)
    found = ganzoo.load_spec(path)
    ours, theirs = rounded(found.to_dict()), rounded(wanted.to_dict())
    for part in theirs:
        assert ours[part] == theirs[part], part
