"""Specs: lossless, frozen, strict; one mistake gives one problem, at its path."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ganzoo.errors import SpecError
from ganzoo.spec import (
    Conv,
    Inject,
    Linear,
    Network,
    Normal,
    ReLU,
    Residual,
    Spec,
    Tap,
)
from tests.plain_specs import GONE, PLAIN, Path, changed, rows, steps
from tests.table import TABLE, arrays, fields

# --------------------------------------------------------------------- there and back


@rows
def test_json_there_and_back(name: str) -> None:
    spec = TABLE[name]()
    text = spec.to_json()
    again = Spec.from_json(text)
    assert again == spec
    assert again.to_json() == text
    assert json.loads(text) == spec.to_dict()
    assert hash(again) == hash(spec)


@rows
def test_yaml_there_and_back(name: str) -> None:
    spec = TABLE[name]()
    text = yaml.safe_dump(spec.to_dict(), sort_keys=False)
    assert Spec.from_dict(yaml.safe_load(text)) == spec


@rows
def test_pickle_and_copies(name: str) -> None:
    spec = TABLE[name]()
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert copy.deepcopy(spec) == spec == spec.model_copy()


def test_order_is_kept() -> None:
    again = Spec.from_json(TABLE["stackgan"]().to_json())
    assert list(again.networks) == ["CA", "G", "D", "CA2", "G2", "D2"]
    assert list(again.let) == ["small", "h", "c", "fake", "h2", "c2", "large"]
    assert list(again.stages[0].updates[0].minimize) == ["real", "wrong", "fake"]


def test_floats_are_exact() -> None:
    rates = [1e-8, 2.5e-5, 0.1 + 0.2, 1 / 3, 1e-300]
    for rate in rates:
        spec = Spec.from_dict(changed("gan", "stages.0.round.0.optimizer.lr", rate))
        assert Spec.from_json(spec.to_json()).stages[0].updates[0].optimizer.lr == rate


def test_the_json_is_complete_so_that_other_defaults_cannot_change_it() -> None:
    update = PLAIN["dcgan"]["stages"][0]["round"][0]
    assert update["repeat"] == 1
    assert update["optimizer"]["eps"] == 1e-8
    assert PLAIN["dcgan"]["networks"]["D"]["layers"][0] == {
        "kind": "conv",
        "channels": 4,
        "kernel": 4,
        "stride": 2,
        "padding": None,
        "bias": True,
        "groups": 1,
        "padding_mode": "zeros",
        "weight": None,
        "gain": 1.0,
    }


def test_the_table_is_what_the_design_says() -> None:
    assert len(TABLE) == 12
    for name in TABLE:
        spec = TABLE[name]()
        assert set(fields(name).fields) == {draw.field for draw in spec.data_draws().values()}
        data = arrays(spec, n=5, seed=1)
        assert set(data) == set(fields(name).fields)
        for draw in spec.data_draws().values():
            kind = {"image": "uint8", "label": "int64", "text": "float32"}[draw.kind]
            assert data[draw.field].dtype == kind
            assert len(data[draw.field]) == 5
        assert all((data[key] == array).all() for key, array in arrays(spec, 5, 1).items())


# -------------------------------------------------------------------------- shorthands


def test_round_stands_for_one_stage() -> None:
    data = copy.deepcopy(PLAIN["gan"])
    [stage] = data.pop("stages")
    short = {**data, "round": stage["round"], "steps": stage["steps"]}
    assert Spec.from_dict(short) == TABLE["gan"]()


def test_words_stand_for_layers_updates_and_tasks() -> None:
    short = {
        "draws": {"x": {"kind": "image", "shape": [1, 8, 8]}, "z": {"kind": "normal", "size": 3}},
        "networks": {
            "G": {"inputs": {"z": []}, "layers": [{"kind": "linear", "units": 64}, "tanh"]},
            "D": {"inputs": {"x": ["flatten"]}, "layers": [{"kind": "linear", "units": 1}]},
        },
        "round": [
            {"train": "D", "minimize": {"all": "bce(D(x), 1) + bce(D(G(z)), 0)"}},
            {"train": ["G"], "minimize": {"all": "bce(D(G(z)), 1)"}},
        ],
        "tasks": {"generate": "G(z)"},
    }
    spec = Spec.from_dict(short)
    assert spec.tasks["generate"].kind == "generate"
    assert spec.networks["G"].layers[1].kind == "tanh"
    assert [update.name for update in spec.stages[0].updates] == ["D", "G"]
    assert spec.stages[0].updates[0].train == ("D",)
    assert Spec.from_json(spec.to_json()) == spec


def test_first_fields_may_be_given_by_position() -> None:
    assert Conv(64, 5) == Conv(channels=64, kernel=5)
    assert Inject("y") == Inject(input="y")
    assert Normal(8) == Normal(size=8)
    with pytest.raises(SpecError, match="Conv takes at most 9 positional arguments"):
        Conv(1, 2, 3, 4, True, 1, "zeros", None, 1.0, 6)
    with pytest.raises(SpecError, match="'channels' is given twice"):
        Conv(1, channels=2)


# ------------------------------------------------------------------------------ frozen


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: setattr(spec, "title", "other"),
        lambda spec: setattr(spec, "extra", 1),
        lambda spec: delattr(spec, "title"),
        lambda spec: setattr(spec.draws["x"], "field", "other"),
        lambda spec: setattr(spec.networks["D"], "join", "add"),
        lambda spec: setattr(spec.networks["D"].layers[0], "channels", 5),
        lambda spec: setattr(spec.stages[0], "steps", 5),
        lambda spec: setattr(spec.stages[0].round[0], "repeat", 5),
        lambda spec: setattr(spec.stages[0].round[0].optimizer, "lr", 5.0),
        lambda spec: setattr(spec.tasks["generate"], "output", "z"),
        lambda spec: spec.draws.update(q=Normal(3)),
        lambda spec: spec.draws.__setitem__("q", Normal(3)),
        lambda spec: spec.draws.__delitem__("x"),
        lambda spec: spec.draws.__ior__({"q": Normal(3)}),
        lambda spec: spec.let.pop("fake"),
        lambda spec: spec.let.popitem(),
        lambda spec: spec.let.clear(),
        lambda spec: spec.let.setdefault("q", "z"),
        lambda spec: spec.ema.update(D=0.5),
        lambda spec: spec.tasks.update(q=1),
        lambda spec: spec.networks["D"].inputs.update(q=()),
        lambda spec: spec.stages[0].round[0].minimize.update(q="1"),
        lambda spec: spec.networks["D"].layers.append(ReLU()),
        lambda spec: spec.stages[0].round.append(None),
    ],
)
def test_nothing_in_a_spec_can_be_changed(change: Callable[[Spec], Any]) -> None:
    spec = TABLE["dcgan"]()
    with pytest.raises((ValidationError, TypeError, AttributeError)):
        change(spec)
    assert spec == TABLE["dcgan"]()


def test_mappings_left_out_are_frozen_too() -> None:
    data = copy.deepcopy(PLAIN["gan"])
    for key in ("let", "ema", "tasks"):
        data.pop(key)
    for update in data["stages"][0]["round"]:
        update["minimize"] = {
            key: value.replace("fake", "G(z)") for key, value in update["minimize"].items()
        }
    spec = Spec.from_dict(data)
    for mapping in (spec.let, spec.ema, spec.tasks):
        with pytest.raises(TypeError, match="frozen"):
            mapping["q"] = "z"
    assert isinstance(hash(spec), int)


def test_a_spec_does_not_share_what_it_was_made_from() -> None:
    data = copy.deepcopy(PLAIN["gan"])
    spec = Spec.from_dict(data)
    data["let"]["fake"] = "nonsense"
    data["networks"]["D"]["layers"].clear()
    assert spec == TABLE["gan"]()


# ------------------------------------------------------------------------ hostile data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"batch": 1, "batch": 2}', "duplicate key 'batch' in one object"),
        ('{"draws": {"x": 1, "x": 2}}', "duplicate key 'x' in one object"),
        ('{"batch": NaN}', "NaN is not a finite number"),
        ('{"batch": -Infinity}', "-Infinity is not a finite number"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"let":' * 50_000 + "1" + "}" * 50_000, "not valid JSON"),
        ('{"batch": ' + "9" * 5000 + "}", "not valid JSON"),
        ("[]", "a mapping is required"),
        ("null", "a mapping is required"),
        (" " * 2_000_001, "at most 2000000 are read"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_json_that_cannot_be_a_spec(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.from_json(text)
    [(path, found)] = caught.value.problems
    assert path == ""
    assert message in found


@pytest.mark.parametrize("key", ["layers", "shortcut", "through"])
@pytest.mark.parametrize("depth", [22, 100, 300])
def test_blocks_nested_too_deep(key: str, depth: int) -> None:
    layer: dict[str, Any] = {"kind": "relu"}
    for _ in range(depth):
        match key:
            case "through":
                layer = {"kind": "inject", "input": "y", "through": [layer]}
            case "shortcut":
                layer = {"kind": "residual", "layers": [], "shortcut": [layer]}
            case _:
                layer = {"kind": "residual", "layers": [layer]}
    data = changed("cdcgan", "networks.D.layers.1", layer)
    with pytest.raises(SpecError, match="nested"):
        Spec.from_json(json.dumps(data))


def test_blocks_nested_as_deep_as_a_u_net_needs() -> None:
    layer: dict[str, Any] = {"kind": "relu"}
    for _ in range(15):
        layer = {"kind": "skip", "layers": [layer]}
    assert Spec.from_dict(changed("dcgan", "networks.D.layers.1", layer))


def test_lets_that_double_each_other_cost_nothing() -> None:
    """22 lets, each twice the next: expanded, four million terms."""
    data = copy.deepcopy(PLAIN["gan"])
    data["let"] = {f"k{index}": f"k{index + 1} + k{index + 1}" for index in range(22)}
    data["let"] |= {"k22": "G(z)", "fake": "k0"}
    begin = time.perf_counter()
    assert Spec.from_dict(data).networks_in("fake") == {"G"}
    assert time.perf_counter() - begin < 1


def places(value: Any, path: Path = ()) -> list[Path]:
    found = [path] if path else []
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in parts:
        found += places(part, (*path, key))
    return found


PLACES = [(name, path) for name, plain in PLAIN.items() for path in places(plain)]
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.sampled_from(["", "x", "D", "G", "relu", "conv", "generate", "bce(D(x), 1)", "\0", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "train", "minimize", "together", "layers", "x", "", "on"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=4,
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(PLACES), junk | st.just(GONE))
def test_any_change_gives_a_spec_or_a_spec_error(place: tuple[str, Path], value: Any) -> None:
    name, path = place
    try:
        spec = Spec.from_dict(changed(name, ".".join(map(str, path)), value))
    except SpecError as error:
        assert error.problems
        assert str(error)
    else:
        assert Spec.from_json(spec.to_json()) == spec


# ----------------------------------------------------------------------------- networks


def test_walk_names_every_layer_by_its_path_in_the_json() -> None:
    for row in TABLE:
        spec = TABLE[row]()
        for name, network in spec.networks.items():
            for path, layer in network.walk():
                place: Any = PLAIN[row]["networks"][name]
                for step in steps(path):
                    place = place[step]
                assert place["kind"] == layer.kind
                assert place == layer.model_dump(mode="json")


def test_walk_enters_blocks() -> None:
    network = Network(
        {"x": (), "y": (ReLU(),)},
        (
            Inject("y", (Linear(3),)),
            Residual((Tap("deep"), ReLU()), shortcut=(Linear(2),)),
        ),
    )
    assert [path for path, _ in network.walk()] == [
        "inputs.y.0",
        "layers.0",
        "layers.0.through.0",
        "layers.1",
        "layers.1.layers.0",
        "layers.1.layers.1",
        "layers.1.shortcut.0",
    ]
    assert network.joined == ("x",)
    assert network.taps == ("deep",)


# ------------------------------------------------------------------------------- torch


def test_the_language_needs_no_torch() -> None:
    code = (
        "import sys, ganzoo.spec, ganzoo.spec.latex as m\n"
        "from ganzoo.spec import *\n"
        "spec = Spec(draws={'x': Image((1, 8, 8))},"
        " networks={'D': Network({'x': ()}, (Linear(1),))},"
        " round=[Update(('D',), {'a': 'bce(D(x), 1)'})])\n"
        "assert Spec.from_json(spec.to_json()) == spec\n"
        "m.text(spec), m.latex(spec), Spec.model_json_schema()\n"
        "print(*sorted({'torch', 'numpy', 'torchvision'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")


def test_former_names_still_work() -> None:
    """For one version, with a warning."""
    data = TABLE["gan"]().to_dict()
    data["networks"]["D"]["layers"][0] = {"kind": "of_no_plugin"}
    with pytest.warns(DeprecationWarning, match="allow_unknown="):
        spec = Spec.from_dict(data, strangers=True)
    with pytest.warns(DeprecationWarning, match=r"Spec\.unknown"):
        found = [*spec.foreign()]
    assert found == [*spec.unknown()] == [("networks.D.layers.0", "layers", "of_no_plugin")]
