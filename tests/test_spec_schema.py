"""The JSON Schema of Specs says what validation says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import jsonschema
import pytest

from ganzoo import extension
from ganzoo.spec import (
    Spec,
    vocabulary,
)
from ganzoo.spec.layers import LAYERS, Layer
from tests.plain_specs import D0, GONE, PLAIN, ROUND, changed, problems, rows
from tests.table import TABLE

# -------------------------------------------------------------------------- JSON Schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return Spec.model_json_schema()


@pytest.fixture(scope="module")
def checker(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_is_in_the_schema_with_its_fields(
    kind: str, schema: dict[str, Any]
) -> None:
    [union] = [part for part in schema["$defs"]["AnyLayer"]["anyOf"] if "oneOf" in part]
    reference = union["discriminator"]["mapping"][kind]
    assert {"$ref": reference} in union["oneOf"]
    described = schema["$defs"][reference.removeprefix("#/$defs/")]
    assert list(described["properties"]) == list(LAYERS[kind].model_fields)
    assert described["properties"]["kind"]["const"] == kind
    assert described["additionalProperties"] is False
    required = [name for name, field in LAYERS[kind].model_fields.items() if field.is_required()]
    assert described.get("required", []) == required


@pytest.mark.parametrize("block", ["Residual", "Skip", "Inject"])
def test_blocks_refer_to_layers_again(block: str, schema: dict[str, Any]) -> None:
    key = "through" if block == "Inject" else "layers"
    inner = schema["$defs"][block]["properties"][key]["items"]
    assert inner == {"$ref": "#/$defs/AnyLayer"}


@rows
def test_the_schema_accepts_every_row(name: str, checker: jsonschema.Draft202012Validator) -> None:
    checker.validate(PLAIN[name])


@pytest.mark.parametrize(
    ("row", "path", "value"),
    [
        ("gan", f"{D0}.kind", "flaten"),
        ("gan", f"{D0}.kind", GONE),
        ("gan", "networks.D.layers.1.kind", GONE),  # what is left fits maxout alone
        ("gan", f"{D0}.extra", 1),
        ("gan", D0, "linear"),
        ("gan", D0, 5),
        ("dcgan", f"{D0}.kernel", 65),
        ("dcgan", f"{D0}.channels", GONE),
        ("discogan", "networks.AB.layers.2.layers.0.kernel", 0),
        ("discogan", "networks.AB.layers.2.layers.0.kind", "cnv"),
        ("gan", "draws.z.kind", "norml"),
        ("gan", f"{ROUND}.0.optimizer.kind", "adamw"),
        ("gan", "tittle", "x"),
    ],
)
def test_the_schema_refuses_what_a_spec_refuses(
    row: str, path: str, value: Any, checker: jsonschema.Draft202012Validator
) -> None:
    data = changed(row, path, value)
    assert problems(data)
    assert not checker.is_valid(data)


def test_the_schema_accepts_a_word_for_a_layer(checker: jsonschema.Draft202012Validator) -> None:
    data = changed("gan", "networks.G.layers.1", "relu")
    checker.validate(data)
    assert Spec.from_dict(data) == TABLE["gan"]()


def test_a_layer_of_a_plugin_is_in_the_schema_and_in_the_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stretch(Layer):
        kind: Literal["stretch"] = "stretch"
        by: float

    known = vocabulary.current()
    with monkeypatch.context() as patch:
        patch.setattr(extension, "words", None)  # and put back what stood there
        vocabulary.extend_with(lambda: replace(known, layers={**known.layers, "stretch": Stretch}))
        data = changed("gan", "networks.G.layers.1", {"kind": "stretch", "by": 2.0})
        jsonschema.validate(data, Spec.model_json_schema())
        spec = Spec.from_dict(data)
        assert spec.networks["G"].layers[1] == Stretch(by=2.0)
        assert Spec.from_json(spec.to_json()) == spec
        data["networks"]["G"]["layers"][1] = {"kind": "stretch", "times": 2.0}
        [(path, message)] = problems(data)
        assert path == "networks.G.layers.1"
        assert message.startswith("unknown key 'times' in Stretch")
    [(_, message)] = problems(data)
    assert message.startswith("no layer of kind 'stretch'")
