"""Spec files: how YAML is read, and two variants as one screen each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.errors import SpecError
from ganzoo.plugins.host import default
from ganzoo.spec import Image, files

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


QUOTE = "in {...} and [...] a comma ends a value, so quote the expression: "


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("let: {fake: G(z, y)}", [("let.fake", 'fake: "G(z, y)"')]),
        ("{lr: ramp(step / 9, 0, 1) * 2}", [("lr", 'lr: "ramp(step / 9, 0, 1) * 2"')]),
        ("- {a: 'b', c: f(g(x, (y, z)), 1)}", [("0.c", 'c: "f(g(x, (y, z)), 1)"')]),
        ("{betas: [0, cosine(t, 0.9, 1), 1]}", [("betas.1", '"cosine(t, 0.9, 1)"')]),
        ("minimize: {bce(D(x), 1)}", [("minimize", '"bce(D(x), 1)"')]),
        # both have a key `0)`, which is no duplicate
        ("{a: f(x, 0), b: f(y, 0)}", [("a", 'a: "f(x, 0)"'), ("b", 'b: "f(y, 0)"')]),
        ("{a: f(x, 1) + g(y, 2), b: 3}", [("a", 'a: "f(x, 1) + g(y, 2)"')]),
        # a parenthesis is missing, too, which the quoted form makes plain
        ("{a: f(x, 1, b: 3}", [("a", 'a: "f(x, 1"')]),
        ("- &a {b: f(x, 1)}\n- *a", [("0.b", 'b: "f(x, 1)"')]),
    ],
)
def test_an_expression_that_yaml_splits_at_its_comma_has_to_be_quoted(
    text: str, problems: list[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        files.plain(path)
    assert error.value.problems == [(where, QUOTE + form) for where, form in problems]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{a: "f(x, 1)", b: f(x)}', {"a": "f(x, 1)", "b": "f(x)"}),
        ("a: f(x, 1)\nb:\n- g(y, 2)", {"a": "f(x, 1)", "b": ["g(y, 2)"]}),
        ("{title: smile :), a: '(', b: }", {"title": "smile :)", "a": "(", "b": None}),
        ("[a (b, c]", ["a (b", "c"]),
        ("", None),
    ],
)  # fmt: skip
def test_other_yaml_is_left_alone(text: str, data: Any, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    assert files.plain(path) == data
