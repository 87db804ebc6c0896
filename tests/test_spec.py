"""Specs: lossless, frozen, strict; one mistake gives one problem, at its path."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ganzoo import extension
from ganzoo.errors import SpecError
from ganzoo.spec import (
    Adam,
    Conv,
    Decay,
    Inject,
    Linear,
    Network,
    Normal,
    ReLU,
    Residual,
    RMSprop,
    Spec,
    Stage,
    Tap,
    Together,
    Update,
    vocabulary,
)
from ganzoo.spec.layers import LAYERS, Layer
from tests.table import TABLE, arrays, fields

rows = pytest.mark.parametrize("name", TABLE)
PLAIN = {name: row().to_dict() for name, row in TABLE.items()}
GONE = object()
"""In place of a value: the key is taken out."""

Path = tuple[str | int, ...]


def steps(path: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


def changed(row: str, path: str, value: Any) -> dict[str, Any]:
    """The plain data of a row with one value replaced, added or taken out."""
    data = copy.deepcopy(PLAIN[row])
    *way, last = steps(path)
    place: Any = data
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return data


def problems(data: Any) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        Spec.from_dict(data)
    return caught.value.problems


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


# ------------------------------------------------------------- one mistake, one problem

D0, G0, ROUND = "networks.D.layers.0", "networks.G.layers.0", "stages.0.round"
REAL = f"{ROUND}.0.minimize.real"
NORMAL = {"kind": "normal", "size": 2}
SAME: Literal["same"] = "same"

MISTAKES: list[tuple[str, str, Any, str, str]] = [
    # row, path, value; path of the problem, and a part of its message
    # unknown keys, with the nearest and the allowed ones
    ("gan", "tittle", "x", "", "unknown key 'tittle' in Spec; did you mean 'title'?"),
    ("gan", "draws.x.fields", "x", "draws.x", "did you mean 'field'?"),
    ("gan", "draws.x.fields", "x", "draws.x", "'field', 'independent', 'kind', 'shape'"),
    ("gan", "networks.D.layer", [], "networks.D", "did you mean 'layers'?"),
    ("dcgan", f"{D0}.kernal", 4, D0, "unknown key 'kernal' in Conv; did you mean 'kernel'?"),
    ("dcgan", "networks.D.init.sdt", 1, "networks.D.init", "did you mean 'std'?"),
    (
        "discogan",
        "networks.AB.layers.2.layers.0.strid",
        2,
        "networks.AB.layers.2.layers.0",
        "did you mean 'stride'?",
    ),
    ("gan", "stages.0.step", 5, "stages.0", "did you mean 'steps'?"),
    ("gan", f"{ROUND}.0.minimise", {}, f"{ROUND}.0", "did you mean 'minimize'?"),
    ("gan", f"{ROUND}.0.optimizer.momentun", 0, f"{ROUND}.0.optimizer", "'momentum'?"),
    ("bigan", f"{ROUND}.0.evry", 2, f"{ROUND}.0", "unknown key 'evry' in Together"),
    ("bigan", f"{ROUND}.0.together.1.trian", [], f"{ROUND}.0.together.1", "'train'?"),
    ("gan", "tasks.generate.ouput", "z", "tasks.generate", "did you mean 'output'?"),
    # kinds
    ("gan", "draws.z.kind", "norml", "draws.z", "'norml' is not allowed; did you mean 'normal'?"),
    ("gan", "draws.z.kind", GONE, "draws.z", "a 'kind' is required"),
    ("gan", f"{D0}.kind", "flaten", D0, "no layer of kind 'flaten'; did you mean 'flatten'?"),
    ("gan", f"{D0}.kind", GONE, D0, "a layer needs a kind: one of 'add_noise', 'attention'"),
    ("gan", D0, "rellu", D0, "did you mean 'relu'?"),
    ("gan", D0, 5, D0, "given: 5"),
    ("gan", D0, "linear", f"{D0}.units", "this key is required"),
    (
        "discogan",
        "networks.BA.layers.2.layers.3.kind",
        "decon",
        "networks.BA.layers.2.layers.3",
        "did you mean 'deconv'?",
    ),
    ("dcgan", "networks.D.init.kind", "gausian", "networks.D.init", "did you mean 'gaussian'?"),
    ("gan", f"{ROUND}.0.optimizer.kind", "adamm", f"{ROUND}.0.optimizer", "'adam', 'adamw'"),
    ("gan", "tasks.generate.kind", "genrate", SAME, "did you mean 'generate'?"),
    ("dcgan", "networks.D.join", "ad", SAME, "did you mean 'add'? allowed: 'add', 'concatenate'"),
    # values
    ("gan", "draws.z.size", 0, SAME, "greater than or equal to 1 (given: 0)"),
    ("gan", "draws.z.size", "many", SAME, "given: 'many'"),
    ("gan", "draws.z.size", 2.5, SAME, "given: 2.5"),
    ("gan", "draws.z.low", float("nan"), SAME, "finite"),
    ("gan", "draws.z.high", float("inf"), SAME, "finite"),
    ("gan", "draws.z.low", 1.7, "draws.z.high", "must be more than low, which is 1.7"),
    ("gan", "draws.x.shape", [1, 8], "draws.x.shape.2", "this key is required"),
    ("gan", "draws.x.shape.0", 65, SAME, "less than or equal to 64"),
    ("gan", "draws.x.shape", GONE, SAME, "this key is required"),
    ("cgan", "draws.y.classes", -3, SAME, "greater than or equal to 1"),
    ("cgan", "networks.D.inputs.y.0.classes", None, SAME, "given: None"),
    ("dcgan", f"{D0}.kernel", 65, SAME, "less than or equal to 64 (given: 65)"),
    ("dcgan", "networks.D.layers.1.slope", 2, SAME, "less than or equal to 1"),
    ("dcgan", "networks.D.layers", {}, SAME, "given: {}"),
    ("dcgan", "networks.D.init.std", -1, SAME, "greater than 0"),
    ("gan", "networks.D.inputs", {}, SAME, "too few"),
    ("gan", "networks", GONE, SAME, "this key is required"),
    ("gan", "draws", [], SAME, "given: []"),
    ("gan", "stages", [], SAME, "too few"),
    ("gan", "stages.0.round", [], SAME, "too few"),
    ("gan", "stages.0.steps", 0, SAME, "greater than or equal to 1"),
    ("gan", f"{ROUND}.0.train", [], SAME, "too few"),
    ("gan", f"{ROUND}.0.minimize", {}, SAME, "too few"),
    ("gan", f"{ROUND}.0.repeat", 0, SAME, "greater than or equal to 1"),
    ("gan", f"{ROUND}.0.clip_weights", 0, SAME, "greater than 0"),
    ("gan", f"{ROUND}.0.optimizer.lr", -1, SAME, "greater than 0"),
    ("bigan", f"{ROUND}.0.together.0.optimizer.betas.0", 1, SAME, "less than 1"),
    ("bigan", f"{ROUND}.0.together", [], SAME, "too few"),
    ("bigan", f"{ROUND}.0.repeat", 1001, SAME, "less than or equal to 1000"),
    ("gan", "batch", 1 << 20, SAME, "less than or equal to 65536"),
    ("dcgan", "ema.G", 1.0, SAME, "less than 1"),
    (
        "cdcgan",
        f"{ROUND}.0.optimizer.decay.shape",
        "expnential",
        SAME,
        "did you mean 'exponential'?",
    ),
    (
        "bigan",
        f"{ROUND}.0.together.0.optimizer.decay.final",
        0,
        SAME,
        "an exponential decay never reaches 0",
    ),
    # names
    ("gan", "draws.1x", NORMAL, SAME, "'1x' is not a name: a letter, then letters"),
    ("gan", f"{ROUND}.0.minimize.my term", "bce(D(x), 1)", SAME, "is not a name"),
    ("gan", f"let.{'a' * 41}", "z", SAME, "at most 40 in all"),
    ("gan", "draws.lambda", NORMAL, SAME, "a keyword of Python cannot be a name"),
    ("gan", "let.mean", "z", SAME, "the name is taken by the function 'mean'"),
    ("gan", "let.x", "z", SAME, "the name is taken by draws.x"),
    ("gan", "draws.G", NORMAL, "networks.G", "the name is taken by draws.G"),
    ("discogan", "stages.1.name", "start", SAME, "'start' is taken by another stage"),
    ("discogan", "networks.DA.layers.6.name", "low", "networks.DA.layers.6", "named twice"),
    # expressions
    ("gan", "let.fake", "G(zz)", SAME, "no draw or let 'zz'; did you mean 'z'?"),
    ("gan", "let.fake", "G(zz)", SAME, "'x', 'z'"),
    ("gan", "let.fake", "G(z, z)", SAME, "network 'G' takes 1 inputs (z), not 2"),
    ("gan", "let.fake", "G", SAME, "'G' is a network and not a value; call it: G(z)"),
    ("gan", "let.fake", "G(z", SAME, "'G(z' is not an expression"),
    ("gan", "let.fake", "G(z ** 2)", SAME, "'z ** 2' is not part of the language"),
    ("gan", "let.fake", "G(z=z)", SAME, "is not part of the language"),
    ("gan", "let.fake", "(z, z)", SAME, "(z, z) may only stand as an argument of a function"),
    ("gan", "let.fake", "G(fake)", SAME, "'fake' is defined by itself"),
    ("gan", "let.fake", "1e999", SAME, "numbers must be finite"),
    ("gan", "let.fake", "", SAME, "at least 1 character"),
    ("gan", "let.fake", 5, SAME, "given: 5"),
    ("gan", REAL, "bec(D(x), 1)", SAME, "no network or function 'bec'; did you mean 'bce'?"),
    ("gan", REAL, "bce.loss(D(x), 1)", SAME, "'bce' is a function; only networks have named"),
    ("gan", REAL, "bce(D(x))", SAME, "bce(logits, target) takes 2 arguments, not 1"),
    ("gan", REAL, "bce(D(x), 1, 2)", SAME, "takes 2 arguments, not 3"),
    ("gan", REAL, "bce(D(x), D)", SAME, "'D' is a network and not a value; call it: D(x)"),
    ("gan", REAL, "bce(D((x, z)), 1)", SAME, "may only stand as an argument of a function"),
    ("gan", "tasks.generate.output", "G(noise)", SAME, "no draw or let 'noise'"),
    (
        "ganomaly",
        f"{ROUND}.0.minimize.adversarial",
        "mse(D.feature(x), D.features(recon))",
        SAME,
        "no tap 'feature'; did you mean 'features'?",
    ),
    (
        "wgan_gp",
        f"{ROUND}.0.minimize.penalty",
        "gradient_penalty(C(x), x, fake)",
        SAME,
        "critic must be a network: one of 'C', 'G'",
    ),
    ("ganomaly", "let.code", "GE(recon)", SAME, "'code' is defined by itself"),
    # networks
    ("cdcgan", f"{G0}.input", "yy", SAME, "no input 'yy'; did you mean 'y'? allowed: 'y', 'z'"),
    ("cdcgan", f"{G0}.input", "z", "networks.G.layers", "has nothing to start from"),
    (
        "cdcgan",
        "networks.D.inputs.y",
        [{"kind": "inject", "input": "x"}],
        "networks.D.inputs.y.0",
        "inject stands in the body",
    ),
    (
        "wgan_gp",
        "networks.C.layers.3",
        {"kind": "batch_norm"},
        f"{ROUND}.0.minimize.penalty",
        "gradient_penalty refuses batch_norm (networks.C.layers.3): "
        "it mixes the samples of a batch",
    ),
    # the schedule
    ("gan", "round", [], SAME, "either round (one stage) or stages, not both"),
    ("gan", "steps", 5, SAME, "stands beside round"),
    ("gan", f"{ROUND}.0.train", ["DD"], f"{ROUND}.0.train.0", "no network 'DD'"),
    ("gan", f"{ROUND}.0.name", "G", f"{ROUND}.1.name", "taken by another update of this stage"),
    ("gan", f"{ROUND}.0.name", "../D", SAME, "is not a name"),
    ("gan", f"{ROUND}.0.train", ["D", "D"], SAME, "a network is named twice"),
    ("gan", f"{ROUND}.1.train", ["D"], "networks.G", "no update trains this network"),
    ("gan", f"{ROUND}.0.on", [1], SAME, "1 is never round % every; every is 1"),
    ("discogan", "stages.0.round.1.on", [1, 3], SAME, "3 is never round % every; every is 3"),
    ("bigan", f"{ROUND}.0.on", [2], SAME, "2 is never round % every"),
    (
        "bigan",
        f"{ROUND}.0.together.0.repeat",
        5,
        f"{ROUND}.0.together.0",
        "repeat and every stand on the group",
    ),
    (
        "bigan",
        f"{ROUND}.0.together.0.train",
        ["D", "E"],
        f"{ROUND}.0.together.1.train",
        "'E' would step twice at once",
    ),
    ("stackgan", "stages.1.freeze", ["CAA", "G"], SAME, "no network 'CAA'; did you mean 'CA'?"),
    (
        "stackgan",
        "stages.1.freeze",
        ["CA", "G2"],
        "stages.1.round.1.train.0",
        "'G2' is frozen in this stage",
    ),
    (
        "stackgan",
        "stages.1.round.1.train",
        ["G2", "CA2", "D"],
        "stages.1.round.1.train.2",
        "'D' is trained here, but no term depends on it",
    ),
    (
        "discogan",
        "stages.1.round.1.optimizer",
        {"kind": "sgd"},
        "stages.1.round.1.name",
        "updates of one name share their state",
    ),
    ("dcgan", "ema", {"g": 0.5}, "ema.g", "no network 'g'"),
    # tasks
    ("gan", "tasks.generate.map", "x", SAME, "a task of kind 'generate' has no map"),
    ("gan", "tasks.generate.to", "b", SAME, "a task of kind 'translate' leads to"),
    ("discogan", "tasks.to_b.to", None, SAME, "a task of kind 'translate' leads to"),
    ("gan", "tasks.make", "G(z)", "tasks.make.kind", "this key is required"),
    # what nothing uses
    ("gan", "draws.q", NORMAL, SAME, "is never used"),
    ("gan", "let.more", "G(z)", SAME, "is never used"),
    ("gan", "networks.H", PLAIN["gan"]["networks"]["G"], SAME, "no update trains this network"),
]


@pytest.mark.parametrize(
    ("row", "where", "value", "path", "message"),
    MISTAKES,
    ids=[f"{row}-{where}-{index}" for index, (row, where, *_) in enumerate(MISTAKES)],
)
def test_one_mistake_gives_one_problem_at_its_path(
    row: str, where: str, value: Any, path: str, message: str
) -> None:
    [(found, text)] = problems(changed(row, where, value))
    assert found == (where if path == SAME else path)
    assert message in text


def test_two_mistakes_give_two_problems() -> None:
    data = changed("gan", f"{ROUND}.0.minimize.real", "bce(D(xx), 1)")
    data["stages"][0]["round"][1]["minimize"]["adversarial"] = "bce(E(fake), 1)"
    assert [path for path, _ in problems(data)] == [
        f"{ROUND}.0.minimize.real",
        f"{ROUND}.1.minimize.adversarial",
    ]


def test_the_error_shows_every_path_with_its_message() -> None:
    data = changed("gan", "draws.z.size", 0)
    data["batch"] = 0
    with pytest.raises(SpecError) as caught:
        Spec.from_dict(data)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["draws.z.size", "batch"]


def test_parts_on_their_own_refuse_too() -> None:
    with pytest.raises(SpecError, match=r"^channels: this key is required$"):
        Conv()
    with pytest.raises(SpecError, match=r"^kernel: .*\(given: 0\)$"):
        Conv(4, 0)
    with pytest.raises(SpecError, match="unknown key 'unit' in Linear; did you mean 'units'"):
        Linear(unit=3)
    with pytest.raises(SpecError, match=r"^layers\.1\.units: "):
        Network({"x": ()}, (ReLU(), {"kind": "linear", "units": 0}))
    with pytest.raises(SpecError, match=r"^optimizer: unknown key 'beta' in RMSprop"):
        Update(("D",), {"a": "mean(D(x))"}, {"kind": "rmsprop", "beta": 1})
    update = {"train": ["D"], "minimize": {"a": "mean(D(x))"}, "repeat": 0}
    draws, networks = {"x": Normal(3)}, {"D": Network({"x": ()}, (Linear(1),))}
    with pytest.raises(SpecError) as caught:
        Spec(draws=draws, networks=networks, round=[update])
    assert [path for path, _ in caught.value.problems] == [f"{ROUND}.0.repeat"]
    with pytest.raises(SpecError, match=r"^train: "):
        Update(train=5, minimize={"a": "x"})


def test_a_cycle_through_several_lets_is_one_problem() -> None:
    assert problems(changed("ganomaly", "let.code", "GE(GD(recode))")) == [
        ("let.code", "'code' is defined by itself")
    ]


@pytest.mark.parametrize(
    "function, kind, source",
    [
        ("gradient_penalty(C, x, fake)", "batch_norm", "arXiv:1704.00028"),
        ("gradient_penalty(C, x, fake)", "minibatch_std", "arXiv:1704.00028"),
        ("r1(C, x)", "batch_norm", "arXiv:1801.04406"),
    ],
)
def test_layers_that_mix_the_batch_are_refused_under_a_penalty(
    kind: str, function: str, source: str
) -> None:
    data = changed("wgan_gp", f"{ROUND}.0.minimize.penalty", function)
    critic = data["networks"]["C"]
    critic["layers"][1] = {"kind": "residual", "layers": [{"kind": kind}]}
    [(path, message)] = problems(data)
    assert path == f"{ROUND}.0.minimize.penalty"
    assert f"refuses {kind} (networks.C.layers.1.layers.0)" in message
    assert source in message
    critic["layers"][1] = {"kind": "residual", "layers": [{"kind": "layer_norm"}]}
    assert Spec.from_dict(data)


def test_the_joint_critic_is_refused_for_a_branch_too() -> None:
    data = copy.deepcopy(PLAIN["wbigan"])
    data["networks"]["C"]["inputs"]["z"].append({"kind": "batch_norm"})
    [(_, message)] = problems(data)
    assert "(networks.C.inputs.z.2)" in message


def test_a_term_that_reaches_a_network_only_through_lets_trains_it() -> None:
    spec = TABLE["ganomaly"]()
    [update] = [update for update in spec.stages[0].updates if update.name == "G"]
    assert spec.networks_in(update.minimize["encoder"]) == {"GE", "GD", "E"}
    assert spec.draws_in("recode") == ("x",)
    assert spec.published == ("GE", "GD", "E")


# ------------------------------------------------------------------------ hostile data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"batch": 1, "batch": 2}', "the key 'batch' stands twice in one object"),
        ('{"draws": {"x": 1, "x": 2}}', "the key 'x' stands twice in one object"),
        ('{"batch": NaN}', "NaN is not a finite number"),
        ('{"batch": -Infinity}', "-Infinity is not a finite number"),
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"let":' * 50_000 + "1" + "}" * 50_000, "not valid JSON"),
        ('{"batch": ' + "9" * 5000 + "}", "not valid JSON"),
        ("[]", "valid dictionary"),
        ("null", "valid dictionary"),
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


# ----------------------------------------------------------------------------- schedule


def test_a_group_repeats_as_a_whole() -> None:
    spec = TABLE["bigan"]()
    [group] = spec.stages[0].round
    assert isinstance(group, Together)
    assert group.repeat == 1
    data = changed("bigan", f"{ROUND}.0.repeat", 3)
    [group] = Spec.from_dict(data).stages[0].round
    assert (group.repeat, [update.repeat for update in group.updates]) == (3, [1, 1])
    with pytest.raises(SpecError, match="repeat and every stand on the group"):
        Together((Update(("D",), {"a": "mean(D(x))"}, every=2, on=(1,)),))


def test_updates_of_one_name_may_go_on_in_another_stage() -> None:
    spec = TABLE["discogan"]()
    names = [[update.name for update in stage.updates] for stage in spec.stages]
    assert names == [["D", "G"], ["D", "G"]]
    terms = [stage.updates[1].minimize["reconstruction"] for stage in spec.stages]
    assert terms[0] != terms[1]


def staged(*shares: int) -> Spec:
    spec = TABLE["gan"]()
    stages = [
        Stage(spec.stages[0].round, steps=share, name=f"s{index}")
        for index, share in enumerate(shares)
    ]
    return spec.model_copy(update={"stages": tuple(stages)})


def shares(spec: Spec) -> list[int]:
    return [stage.steps for stage in spec.stages]


def test_steps_are_shared_in_proportion() -> None:
    assert shares(staged(12, 18).with_steps(10)) == [4, 6]
    assert shares(staged(1, 1000).with_steps(2)) == [1, 1]
    assert shares(staged(600, 600).with_steps(1_000_001)) in (
        [500_000, 500_001],
        [500_001, 500_000],
    )
    assert shares(staged(100, 100, 100, 1, 1, 1).with_steps(6)) == [1] * 6
    with pytest.raises(SpecError, match="1 steps are too few for 2 stages"):
        staged(5, 5).with_steps(1)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=16), st.integers(0, 10_000))
def test_every_stage_gets_a_step_and_none_is_lost(given_shares: list[int], extra: int) -> None:
    spec = staged(*given_shares)
    assert shares(spec.with_steps(spec.steps)) == given_shares
    wanted = len(given_shares) + extra
    found = shares(spec.with_steps(wanted))
    assert sum(found) == wanted
    assert min(found) >= 1
    for share, original in zip(found, given_shares, strict=True):
        exact = original * wanted / spec.steps
        assert abs(share - exact) <= len(found)


def test_the_learning_rate_falls_as_declared() -> None:
    linear = Decay("linear", 0.5)
    assert [linear.factor(part) for part in (0, 0.5, 0.75, 1)] == [1, 1, 0.5, 0]
    exponential = Decay("exponential", 0.5, 0.01)
    assert [exponential.factor(part) for part in (0.5, 1)] == [1, pytest.approx(0.01)]
    assert exponential.factor(0.75) == pytest.approx(0.1)


def test_optimizers_of_the_papers() -> None:
    assert TABLE["dcgan"]().stages[0].updates[0].optimizer == Adam(2e-4, (0.5, 0.999))
    critic, generator = TABLE["wgan"]().stages[0].updates
    assert critic.optimizer == generator.optimizer == RMSprop(5e-5)
    assert (critic.repeat, critic.clip_weights, generator.clip_weights) == (5, 0.01, None)


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
