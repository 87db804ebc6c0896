"""Mistakes in a Spec: each gives one problem, at its path."""

from __future__ import annotations

import copy
from typing import Any, Literal

import pytest

from ganzoo.errors import SpecError
from ganzoo.spec import (
    Conv,
    Linear,
    Network,
    Normal,
    ReLU,
    Spec,
    Update,
)
from tests.plain_specs import D0, G0, GONE, PLAIN, ROUND, changed, problems
from tests.table import TABLE

# ------------------------------------------------------------- one mistake, one problem

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
    ("gan", f"{D0}.kind", GONE, D0, "a kind is required: one of 'add_noise', 'attention'"),
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
    ("gan", "networks.D.inputs", {}, SAME, "has an input, if only to know the number of samples"),
    ("gan", "networks.D.inputs", ["x"], SAME, "a mapping is required, such as {z: []}"),
    ("gan", "networks.D.inputs.x", "relu", SAME, "a list is required: write [relu]"),
    ("gan", f"{ROUND}.0.minimize", ["mean(D(x))"], SAME, "such as {fool: -mean(D(fake))}"),
    ("gan", f"{ROUND}.0.on", 2, SAME, "a list is required: write [2] (given: 2)"),
    ("gan", f"{ROUND}.0", "D", SAME, "a mapping is required (given: 'D')"),
    ("gan", f"{ROUND}.0.optimizer.lr", [1], SAME, "valid number (given: [1])"),
    ("gan", "draws.z", "normal", "draws.z.size", "as in {kind: normal, size: 64}"),
    ("gan", "draws.x", "image", "draws.x.shape", "this key is required"),
    ("gan", "draws.x", "imag", SAME, "did you mean 'image'?"),
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
    ("gan", "let.fake", "(z, z)", SAME, "(z, z) may only be an argument of a function"),
    ("gan", "let.fake", "G(fake)", SAME, "'fake' is defined by itself"),
    ("gan", "let.fake", "1e999", SAME, "numbers must be finite"),
    ("gan", "let.fake", "", SAME, "at least 1 character"),
    ("gan", "let.fake", 5, SAME, "given: 5"),
    ("gan", REAL, "bec(D(x), 1)", SAME, "no network or function 'bec'; did you mean 'bce'?"),
    ("gan", REAL, "max(D(x), 1)", SAME, "no network or function 'max'; did you mean 'maximum'?"),
    ("gan", f"{ROUND}.0.optimizer.lr", "min(step, 1)", SAME, "did you mean 'minimum'?"),
    ("gan", REAL, "bce.loss(D(x), 1)", SAME, "'bce' is a function; only networks have named"),
    ("gan", REAL, "bce(D(x))", SAME, "bce(logits, target) takes 2 arguments, not 1"),
    ("gan", REAL, "bce(D(x), 1, 2)", SAME, "takes 2 arguments, not 3"),
    ("gan", REAL, "bce(D(x), D)", SAME, "'D' is a network and not a value; call it: D(x)"),
    ("gan", REAL, "bce(D((x, z)), 1)", SAME, "may only be an argument of a function"),
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
    ("gan", "steps", 5, SAME, "is only for round; with stages, give steps to each"),
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
        "give repeat and every to the group",
    ),
    (
        "bigan",
        f"{ROUND}.0.together.0.train",
        ["D", "E"],
        f"{ROUND}.0.together.1.train",
        "'E' is already trained by another update of the group",
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
    ("gan", "tasks.generate.to", "b", SAME, "'generate' has no to; translate has"),
    ("discogan", "tasks.to_b.to", None, SAME, "this key is required: the name of the domain"),
    ("discogan", "tasks.to_b.to", GONE, SAME, "this key is required: the name of the domain"),
    (
        "discogan",
        "tasks.to_b",
        {"kind": "generate", "output": "ab"},
        SAME,
        "generate takes no image, and this needs a; what changes an image is a task "
        "{kind: translate, to: NAME, output: 'ab'}",
    ),
    (
        "discogan",
        "tasks.to_b.output",
        "AB(a) + b",
        "tasks.to_b",
        "a task takes one image, and this needs a and b",
    ),
    ("gan", "tasks.score", "D(G(z))", SAME, "score takes an image, but its expression does not"),
    ("gan", "tasks.classify", "D(G(z))", SAME, "classify takes an image, but its expression"),
    ("gan", "tasks.match", "D(G(z))", SAME, "either an image or a text, and this takes neither"),
    ("cgan", "tasks.match", "D(x, y)", SAME, "and this takes image and label"),
    (
        "cgan",
        "tasks.score",
        {"output": "D(x, y)", "quantile": 0.9},
        "tasks.score.quantile",
        "the threshold is computed from images alone, and this needs y, too",
    ),
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


def test_a_task_takes_one_label() -> None:
    """`label=` would have been the class of both."""
    data = copy.deepcopy(PLAIN["cgan"])
    data["draws"]["w"] = {"kind": "label", "classes": 3, "field": "width"}
    data["networks"]["G"]["inputs"]["w"] = [{"kind": "one_hot", "classes": 3}]
    data["let"]["fake"] = data["tasks"]["generate"]["output"] = "G(z, y, w)"
    [(path, message)] = problems(data)
    assert path == "tasks.generate"
    assert message == (
        "a task takes one label, and this needs y and w; a categorical draw has a name of its own"
    )
