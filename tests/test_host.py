"""Plugins: what they bring, and how broken ones are kept apart."""

from __future__ import annotations

import json
import math
import re
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

from ganzoo import DataSet, Fields, Function, Layer, Loss, Source, Spec, Variant, cli, hookimpl
from ganzoo.demo.live_training import LiveTraining
from ganzoo.engine import train
from ganzoo.errors import GanzooError, PluginError, SpecError, UnknownNameError
from ganzoo.models import store
from ganzoo.nn.build import build, initialize
from ganzoo.plugins import hookspecs
from ganzoo.plugins.host import FIRST_PARTY, Host, default, discover, forget
from ganzoo.spec import (
    Flatten,
    Image,
    Label,
    Linear,
    Network,
    Normal,
    Reshape,
    Tanh,
    Text,
    Update,
    vocabulary,
)
from tests.plugin_parts import Gain, Tiny, between, lsgan, plugin

# ---------------------------------------------------------------------- what they bring


def test_a_plugin_brings_variants_layers_functions_and_data() -> None:
    host = Host()
    fields = Fields(fields={"image": Image((1, 8, 8))})
    data = DataSet("dots", fields, "Dots.", 1, "CC0", "here", load=lambda *_: None)
    function = Function.of(lsgan, source="arXiv:1611.04076")
    everything = plugin(variants=[Tiny], layers=[Gain], functions=[function], data=[data])
    found = host.register(everything)
    assert found.brings == {
        "variants": ["tiny"], "functions": ["lsgan"], "layers": ["gain"], "data": ["dots"],
    }  # fmt: skip
    assert host.variant("tiny") is Tiny
    assert host.functions["lsgan"] is function and "bce" in host.functions
    assert host.layers["gain"] is Gain and host.data["dots"] is data
    assert not host.broken and host.plugins == [found]


def test_a_host_does_not_change_the_core() -> None:
    before = dict(vocabulary.FUNCTIONS)
    Host().register(plugin(functions=[Function.of(lsgan)]))
    assert before == vocabulary.FUNCTIONS
    assert "lsgan" not in Host().functions


def test_the_first_party_variants_enter_by_the_same_door() -> None:
    host = discover()
    assert {"gan", "dcgan"} <= set(host.variants)
    assert not [p for p in host.broken if p.distribution in {"ganzoo-gan", "ganzoo-dcgan"}]
    assert host.providers["variants", "gan"] == "ganzoo-gan"
    names = [(p.distribution, p.name) for p in host.plugins]
    assert len(names) == len(set(names))


# -------------------------------------------------------------------------- broken ones


def refused(module: Any, host: Host | None = None) -> str:
    host = host or Host()
    rooms = (host.variants, host.functions, host.losses, host.layers, host.data)
    before = tuple(map(dict, rooms))
    with pytest.raises(PluginError) as caught:
        host.register(module)
    assert before == rooms
    return str(caught.value)


def test_two_of_a_name() -> None:
    host = Host()
    host.register(plugin("first", variants=[Tiny]))
    text = refused(plugin("second", functions=[Function.of(lsgan)], variants=[Tiny]), host)
    assert "variant 'tiny'" in text and "first has one of that name" in text
    assert [p.name for p in host.plugins] == ["first"]


def test_a_name_of_the_core_is_taken() -> None:
    bce = Function.of(lsgan, name="bce")
    assert "function 'bce', and ganzoo has one of that name" in refused(plugin(functions=[bce]))

    class Other(Layer):
        kind: Literal["conv"] = "conv"

    assert "layer 'conv', and ganzoo has one" in refused(plugin(layers=[Other]))
    hinge = Loss("hinge", {"d": "mean(D(x))"}, {"g": "mean(D(fake))"})
    assert "loss 'hinge', and ganzoo has one" in refused(plugin(losses=[hinge]))
    digits = DataSet("digits", Fields(fields={}), "", 1, "", "", load="nowhere:at_all")
    assert "data 'digits', and ganzoo has one" in refused(plugin(data=[digits]))


def test_one_plugin_with_the_same_name_twice() -> None:
    assert "'tiny', and this plugin has one" in refused(plugin(variants=[Tiny, Tiny]))


@pytest.mark.parametrize(
    "hook, nearest", [("varients", "variants"), ("layer", "layers"), ("datas", "data")]
)
def test_a_misspelt_hook(hook: str, nearest: str) -> None:
    text = refused(plugin(**{hook: []}))
    assert f"no hook 'ganzoo_{hook}'; did you mean 'ganzoo_{nearest}'?" in text
    assert all(repr(name) in text for name in vars(hookspecs) if name.startswith("ganzoo_"))


def test_a_hook_with_arguments_that_there_are_not() -> None:
    module = ModuleType("eager")
    module.ganzoo_variants = hookimpl(lambda registry: [])  # type: ignore[attr-defined]
    assert "registry" in refused(module)


def test_a_hook_without_its_mark() -> None:
    module = ModuleType("unmarked")
    module.ganzoo_variants = lambda: [Tiny]  # type: ignore[attr-defined]
    assert "ganzoo_variants is not marked; write @ganzoo.hookimpl" in refused(module)


def test_things_that_are_not_what_they_should_be() -> None:
    for hook, thing, text in (
        ("variants", Tiny(), "a subclass of Variant"),
        ("variants", int, "a subclass of Variant"),
        ("layers", Tiny, "a subclass of Layer"),
        ("functions", lsgan, "a Function"),
        ("losses", "hinge", "a Loss"),
        ("data", "mnist", "a DataSet"),
    ):
        assert f"ganzoo_{hook} must give {text}, not {thing!r}" in refused(
            plugin(**{hook: [thing]})
        )

    class Nameless(Variant):
        """No name."""

    class Kindless(Layer):
        """No kind."""

    assert "variant Nameless has no name" in refused(plugin(variants=[Nameless]))
    assert "layer Kindless has no kind" in refused(plugin(layers=[Kindless]))


MODULES = {
    "good_one": "from tests.plugin_parts import *\n@hookimpl\ndef ganzoo_data(): return [BLOTS]",
    "raises": "raise RuntimeError('no licence found')",
    "leaves": "import sys\nsys.exit('not on this system')",
    "no_python": "def ganzoo_variants( return",
    "needs_more": "import a_module_that_is_not_there",
    "misspelt": "import ganzoo\n@ganzoo.hookimpl\ndef ganzoo_varients(): return []",
    "hook_raises": "import ganzoo\n@ganzoo.hookimpl\ndef ganzoo_layers(): raise KeyError('x')",
    "hook_leaves": "import ganzoo\n@ganzoo.hookimpl\ndef ganzoo_data(): raise SystemExit(3)",
    "no_list": "import ganzoo\n@ganzoo.hookimpl\ndef ganzoo_functions(): return 7",
    "clashes": "from tests.plugin_parts import *\n@hookimpl\ndef ganzoo_variants(): return [Tiny]",
    "clashed": "from tests.plugin_parts import *\n@hookimpl\ndef ganzoo_variants(): return [Tiny]",
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host whose plugins are files, all of them broken but the first."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    points = [EntryPoint(name, name, "ganzoo") for name in (*MODULES, "nowhere")]
    yield Host((None, point) for point in points)
    for name in MODULES:
        sys.modules.pop(name, None)


def test_broken_plugins_are_listed_and_disturb_nothing_else(host: Host) -> None:
    assert list(host.data) == [*Host().data, "blots"] and not host.variants
    assert host.providers["data", "blots"] == "good_one"
    problems = {p.name: p.problem for p in host.plugins}
    assert problems.pop("good_one") == ""
    assert {p.name for p in host.broken} == set(problems) == {*MODULES, "nowhere"} - {"good_one"}
    assert problems["raises"] == "RuntimeError: no licence found"
    assert problems["leaves"] == "SystemExit: not on this system"
    assert problems["no_python"].startswith("SyntaxError: ")
    assert "a_module_that_is_not_there" in problems["needs_more"]
    assert "did you mean 'ganzoo_variants'?" in problems["misspelt"]
    assert problems["hook_raises"] == "KeyError: 'x'"
    assert problems["hook_leaves"] == "SystemExit: 3"
    assert problems["no_list"].startswith("TypeError: ")
    assert "variant 'tiny', and so does clashed; so it is neither's" in problems["clashes"]
    assert "variant 'tiny', and so does clashes; so it is neither's" in problems["clashed"]
    assert problems["nowhere"].startswith("ModuleNotFoundError: ")


def test_a_mistake_in_the_spec_of_a_variant_costs_that_variant_alone(monkeypatch) -> None:
    """A raw error of a plugin is one of ganzoo's, and the demo offers the others."""

    class Odd(Tiny):
        """It takes no images of 28x28."""

        name = "odd"

        def spec(self, data: Fields) -> Spec:
            assert data.image.shape[1] % 8 == 0, "sizes are multiples of 8"
            return super().spec(data)

    assert Odd().spec(Fields(fields={"image": Image((1, 8, 8))})).networks
    with pytest.raises(SpecError, match=r"variant 'odd' makes no Spec .*multiples of 8") as caught:
        Odd().spec(Fields(fields={"image": Image((1, 28, 28))}))
    assert isinstance(caught.value.__cause__, AssertionError)
    monkeypatch.setitem(default().variants, "odd", Odd)
    live = LiveTraining(["digits"])
    assert "odd" not in live.variants("digits") and "dcgan" in live.variants("digits")


def test_an_unknown_variant_names_what_could_not_be_loaded(host: Host) -> None:
    host.register(plugin(variants=[Tiny]))
    with pytest.raises(UnknownNameError) as caught:
        host.variant("tinny")
    text = str(caught.value)
    assert "no variant 'tinny'; did you mean 'tiny'? there is: 'tiny'" in text
    assert "raises (RuntimeError: no licence found)" in text and "`ganzoo plugins`" in text
    assert "`ganzoo --no-plugins ...`" in text and "GANZOO_PLUGINS=" in text


# ------------------------------------------------------- installed, chosen, outdated, slow


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install a distribution with one plugin, as pip would leave it; it brings a data set."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GANZOO_PLUGINS", raising=False)
    modules: list[str] = []

    def install(name: str, *requires: str, entry: str = "", code: str = "") -> None:
        module = f"{name.replace('-', '_')}_of_a_test"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(
            f"{code}\nimport ganzoo\nfrom ganzoo import DataSet, Fields\n"
            "@ganzoo.hookimpl\ndef ganzoo_data():\n"
            f"    return [DataSet({name!r}, Fields(fields={{}}), '', 1, '', '', load='no:where')]\n"
        )
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{needs}"
        )
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{entry or module} = {module}\n")

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def found(host: Host, distribution: str) -> Any:
    [plugin] = [plugin for plugin in host.plugins if plugin.distribution == distribution]
    return plugin


@pytest.mark.parametrize(
    "needs, problem",
    [
        (["ganzoo>=0.1"], ""),
        (["ganzoo"], ""),
        (["numpy", "ganzoo-gan>=7"], ""),
        (["ganzoo>=9; python_version < '3'"], ""),
        (["ganzoo>=9; extra == 'next'"], ""),
        (["ganzoo>=900.1"], "it requires ganzoo>=900.1, and this is "),
        (["Ganzoo[metrics]~=900.0"], "it requires Ganzoo~=900.0, and this is "),
        (["ganzoo<0.0.1"], "it requires ganzoo<0.0.1, and this is "),
    ],
)
def test_a_plugin_for_another_ganzoo(installed: Any, needs: list[str], problem: str) -> None:
    """It is not even imported, so that what it would trip over is not what is reported."""
    wrong = "raise RuntimeError('imported')" if problem else ""
    installed("zoo-of-tomorrow", *needs, code=wrong)
    host = discover()
    plugin = found(host, "zoo-of-tomorrow")
    assert plugin.problem.startswith(problem) and bool(plugin.problem) == bool(problem)
    assert ("zoo-of-tomorrow" in host.data) == (not problem)
    assert ("pip install --upgrade ganzoo-core zoo-of-tomorrow" in plugin.problem) == bool(problem)
    assert "gan" in host.variants


def test_two_distributions_with_an_entry_point_of_one_name(installed: Any, monkeypatch) -> None:
    installed("one-zoo", entry="zoo")
    installed("other-zoo", entry="zoo")
    host = discover()
    assert "one-zoo" not in host.data and "other-zoo" not in host.data
    for name, other in (("one-zoo", "other-zoo"), ("other-zoo", "one-zoo")):
        problem = found(host, name).problem
        assert f"an entry point 'zoo', and so does {other} 1.0; so it is neither's" in problem
        assert f"GANZOO_PLUGINS={name}" in problem
    monkeypatch.setenv("GANZOO_PLUGINS", "other-zoo")
    host = discover()
    assert "other-zoo" in host.data and "one-zoo" not in host.data and not host.broken


@pytest.mark.parametrize(
    "choice, loaded",
    [
        ("", set()),
        (" , ", set()),
        ("ganzoo_gan", {"ganzoo-gan"}),
        ("ganzoo-gan", {"ganzoo-gan"}),
        ("GanZoo.Gan, chosen-zoo", {"ganzoo-gan", "chosen-zoo"}),
    ],
)
def test_the_plugins_that_are_chosen(installed: Any, monkeypatch, choice: str, loaded: set) -> None:
    installed("chosen-zoo")
    installed("broken-zoo", code="raise RuntimeError('imported')")
    monkeypatch.setenv("GANZOO_PLUGINS", choice)
    host = discover()
    assert {plugin.distribution for plugin in host.plugins if plugin.brings} == loaded
    assert not host.broken and "broken_zoo_of_a_test" not in sys.modules
    assert {p.distribution for p in host.plugins if not p.left_out} == loaded
    with pytest.raises(UnknownNameError, match=r"left out, since GANZOO_PLUGINS .* broken-zoo"):
        host.variant("dcgan")


def test_a_choice_of_what_is_not_there(monkeypatch) -> None:
    monkeypatch.setenv("GANZOO_PLUGINS", "ganzo-gan")
    host = discover()
    [broken] = host.broken
    assert broken.distribution == "ganzo-gan" and "did you mean 'ganzoo-gan'?" in broken.problem
    assert not host.variants


def test_a_plugin_that_is_slow_to_import(installed: Any, monkeypatch) -> None:
    monkeypatch.setattr("ganzoo.plugins.host.SLOW", 0.3)
    installed("slow-zoo", code="import time\ntime.sleep(0.31)")
    installed("slow-and-broken", code="import time\ntime.sleep(0.31)\nraise RuntimeError")
    host = discover()
    assert found(host, "slow-zoo").slow and "slow-zoo" in host.data
    assert found(host, "slow-and-broken").slow and found(host, "slow-and-broken").problem
    assert 0.31 <= found(host, "slow-zoo").seconds < 3
    assert not found(host, "ganzoo-gan").slow


def test_the_command_line_tells_and_gets_people_out_of_trouble(
    installed: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ganzoo.plugins.host.SLOW", 0.3)
    monkeypatch.setenv("COLUMNS", "200")
    installed("slow-zoo", code="import time\ntime.sleep(0.31)")
    installed("broken-zoo", code="raise RuntimeError('no licence [yet]')")

    def tell(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganzoo", *words])
        forget()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    try:
        _, out, _ = tell("plugins")
        assert "broken: RuntimeError: no licence [yet]" in out
        assert re.search(r"slow-zoo .*data: slow-zoo \(0\.\d s to import\)", out)
        assert out.count("s to import") == 1 and "`ganzoo --no-plugins ...` does without all" in out
        code, out, err = tell("variants")
        assert code == 0 and "dcgan" in out
        assert "not loaded: broken-zoo 1.0 (RuntimeError: no licence [yet])" in err
        assert "ganzoo --no-plugins" in err
        # whatever is unknown may have been in that plugin
        spec = tmp_path / "own.yaml"
        spec.write_text("networks: {G: {inputs: {z: []}, layers: [{kind: wavelet}]}}")
        for words in (
            ("show", "avatarz"),
            ("train", "gan", "--data", "portraits"),
            ("show", str(spec)),
            ("train", "gan", "--data", "digits", "--track", "nowhere"),
        ):
            code, _, err = tell(*words)
            assert code == 2 and err.count("not loaded: broken-zoo 1.0 (RuntimeError") == 1, words
        monkeypatch.setenv("GANZOO_PLUGINS", "ganzoo-gan")
        _, out, _ = tell("plugins")
        assert "left out: GANZOO_PLUGINS does not name it" in out and "broken:" not in out
        code, out, err = tell("--no-plugins", "variants")
        assert code == 0 and "gan" not in out.split("\n\n")[0] and not err
        code, _, err = tell("--no-plugins", "show", "gan")
        assert code == 2 and "no variant 'gan'" in err and "ganzoo-gan" in err
    finally:
        monkeypatch.undo()
        forget()


# ------------------------------------------------------------- what others do is theirs alone

HARMFUL = {
    "leaves-by-interrupt": ("raise KeyboardInterrupt('no')", "KeyboardInterrupt: no"),
    "leaves-a-generator": ("raise GeneratorExit", "GeneratorExit: no message"),
    "is-no-exception": (
        "class Out(BaseException): pass\nraise Out('of here')", "Out: of here"),
    "cannot-say-why": (
        "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute",
        "Mute: (its message cannot be shown)"),
    "leaves-while-saying-why": (
        "class Mute(Exception):\n    def __str__(self): raise SystemExit\nraise Mute",
        "Mute: (its message cannot be shown)"),
    "paints": ("raise RuntimeError('\\x1b[31mred\\x07' * 999)", "RuntimeError: [31mred"),
    "asks-for-the-host": (
        "from ganzoo.plugins.host import default\ndefault()", "it uses the host while"),
    "swaps-the-stream": ("import sys\nsys.stdout.close()\nsys.stdout = None\n1 / 0", "division"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_whatever_a_plugin_raises_costs_it_alone(
    installed: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, problem = HARMFUL[name]
    installed(name, code=code)
    installed("well-behaved")
    forget()
    try:
        host = default()
    finally:
        forget()
    assert problem in found(host, name).problem
    assert len(found(host, name).problem) < 700 and found(host, name).problem.isprintable()
    assert "well-behaved" in host.data and "gan" in host.variants
    assert [plugin.distribution for plugin in host.broken] == [name]
    assert sys.stdout is not None and not sys.stdout.closed


def test_a_real_interrupt_is_nobodys_fault(installed: Any) -> None:
    installed("slow-zoo", code="import os, signal\nos.kill(os.getpid(), signal.SIGINT)")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        discover()
    assert signal.getsignal(signal.SIGINT) is before


METADATA: dict[str, dict[str, bytes]] = {
    "without a name": {"METADATA": b"Version: 1\n", "entry_points.txt": b"[ganzoo]\na = a_mod\n"},
    "without metadata": {"entry_points.txt": b"[ganzoo]\na = a_mod\n"},
    "of bytes": {"METADATA": b"Name: \xff\xfe\n", "entry_points.txt": b"[ganzoo]\na = a_mod\n"},
    "with half a line": {"METADATA": b"Name: x\n", "entry_points.txt": b"[ganzoo]\nhalf\n"},
    "with entries of bytes": {"METADATA": b"Name: x\n", "entry_points.txt": b"[ganzoo]\n\xff\n"},
    "with no module": {"METADATA": b"Name: x\n", "entry_points.txt": b"[ganzoo]\na = 1:2:3\n"},
    "that needs nonsense": {
        "METADATA": b"Name: x\nVersion: 1\nRequires-Dist: ganzoo >>> 1\n",
        "entry_points.txt": b"[ganzoo]\na = a_mod\n"},
    "of somebody else": {"METADATA": b"Name: x\n", "entry_points.txt": b"[console]\nhalf\n"},
}  # fmt: skip


@pytest.mark.parametrize("name", METADATA)
def test_a_distribution(name: str, installed: Any, tmp_path: Path) -> None:
    info = tmp_path / "x-1.0.dist-info"
    info.mkdir()
    for file, content in METADATA[name].items():
        (info / file).write_bytes(content)
    (tmp_path / "a_mod.py").write_text("raise RuntimeError('imported')")
    installed("well-behaved")
    host = discover()
    assert "well-behaved" in host.data and "gan" in host.variants
    broken = [str(plugin) for plugin in host.broken]
    # what cannot be told apart from a package that has nothing to do with ganzoo is passed over
    silent = name in ("of somebody else", "with entries of bytes")
    assert len(broken) == (0 if silent else 1), broken
    assert all(plugin.problem for plugin in host.broken)


def test_what_a_plugin_prints_is_kept_apart(
    installed: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Python's prints, those of programs that it starts, and what it does in its hooks."""
    monkeypatch.setenv("COLUMNS", "300")
    installed(
        "loud-zoo",
        code="import os\nprint('one', flush=True)\nos.system('echo two')\nos.write(1, b'three')",
    )
    monkeypatch.setattr(sys, "argv", ["ganzoo", "show", "gan", "--json"])
    forget()
    try:
        with pytest.raises(SystemExit):
            cli.main()
        out = capfd.readouterr().out
        assert json.loads(out)["title"]
        monkeypatch.setattr(sys, "argv", ["ganzoo", "plugins"])
        with pytest.raises(SystemExit):
            cli.main()
        out = capfd.readouterr().out
    finally:
        forget()
    assert re.search(r"loud-zoo .*printed: one two three", out)


def test_a_folder_that_a_plugin_goes_to(installed: Any, tmp_path: Path) -> None:
    before = Path.cwd()
    installed("wandering-zoo", code=f"import os\nos.chdir({str(tmp_path)!r})")
    discover()
    assert Path.cwd() == before


def test_a_name_of_ours_stays_ours(installed: Any) -> None:
    """Whoever sorts before it, and whatever else it brings."""
    installed("a-stranger", code="from tests.plugin_parts import *")
    path = Path(sys.path[0]) / "a_stranger_of_a_test.py"
    path.write_text(
        f"{path.read_text()}\nclass Gan(Tiny):\n    name = 'gan'\n"
        "@hookimpl\ndef ganzoo_variants(): return [Gan]\n"
    )
    host = discover()
    assert host.providers["variants", "gan"] == "ganzoo-gan" and "a-stranger" not in host.data
    problem = found(host, "a-stranger").problem
    assert "variant 'gan', and so does ganzoo-gan" in problem and "it is ganzoo-gan" in problem
    assert [plugin.distribution for plugin in host.broken] == ["a-stranger"]


def test_the_first_party_is_what_is_in_this_repository() -> None:
    here = {path.parent.name for path in Path(__file__).parents[1].glob("plugins/*/pyproject.toml")}
    assert here - FIRST_PARTY == set()


def test_threads_that_ask_while_plugins_load_get_one_host(installed: Any) -> None:
    """Each builds a Spec with a plugin's word; none takes it for unknown."""
    installed(
        "slow-zoo",
        code="import time\ntime.sleep(0.3)\n"
        "from tests.plugin_parts import Function, hookimpl, lsgan\n"
        "@hookimpl\ndef ganzoo_functions(): return [Function.of(lsgan)]",
    )
    spec = Spec.from_dict(
        {**gained_by_core().to_dict(), "title": "x"} | {"let": {"loss": "bce(D(x), 1)"}}
    )
    data = spec.to_dict() | {"let": {"loss": "lsgan(D(x), 1)"}}
    found_: list[Any] = []
    forget()

    def ask() -> None:
        try:
            found_.append((id(default()), Spec.from_dict(data).let["loss"]))
        except Exception as error:
            found_.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        forget()
    assert len(set(found_)) == 1, found_
    assert found_[0][1] == "lsgan(D(x), 1)"


def test_many_threads_build_the_specs_that_one_would() -> None:
    """All variants that are installed, at once, with their shapes checked."""
    fields = {"image": Image((1, 16, 16)), "label": Label(3), "text": Text(7, "none")}
    fields |= {name: Image((1, 16, 16), name, independent=True) for name in "ab"}

    def built(name: str) -> str:
        try:
            spec = default().variant(name)().spec(Fields(fields=fields))
            return spec.to_json()
        except GanzooError as error:
            return str(error)

    names = sorted(default().variants)
    one = [built(name) for name in names]
    assert sum(said.startswith("{") for said in one) >= 10
    forget()
    try:
        with ThreadPoolExecutor(8) as threads:
            assert [*threads.map(built, names * 3)] == one * 3
    finally:
        forget()


def gained_by_core() -> Spec:
    return Spec(
        draws={"x": Image((1, 4, 4)), "z": Normal(3)},
        networks={
            "G": Network({"z": ()}, (Linear(16), Tanh(), Reshape((1, 4, 4)))),
            "D": Network({"x": (Flatten(),)}, (Linear(1),)),
        },
        let={"loss": "bce(D(x), 1)"},
        round=[Update("D", {"d": "loss"}), Update("G", {"g": "bce(D(G(z)), 1)"})],
        tasks={"generate": "G(z)"},
    )


# ------------------------------------------------------------------------------- in use


@pytest.fixture
def words() -> Iterator[Host]:
    """A host with a layer and functions, which Specs may use while the test runs."""
    host = Host()
    functions = [
        Function.of(lsgan),
        Function.of(
            between, name="halfway", parameters=("critic", "x"), networks=("critic",),
            noise=("where",), passes=1,
        ),
    ]  # fmt: skip
    host.register(plugin(layers=[Gain], functions=functions))
    before = vocabulary.extend_with(lambda: host.vocabulary)
    yield host
    vocabulary.extend_with(before)


def gained() -> Spec:
    return Spec(
        title="Gained",
        draws={"x": Image((1, 4, 4)), "z": Normal(3)},
        networks={
            "G": Network({"z": ()}, (Linear(16), Gain(3.0), Tanh(), Reshape((1, 4, 4)))),
            "D": Network({"x": (Flatten(),)}, (Gain(), Linear(1))),
        },
        let={"fake": "G(z)"},
        round=[
            Update("D", {"d": "lsgan(D(x), 1) + lsgan(D(fake), 0)", "e": "halfway(D, x)"}),
            Update("G", {"g": "lsgan(D(fake), 1)"}),
        ],
        tasks={"generate": "G(z)"},
        batch=4,
    )


def test_words_of_a_plugin_are_words_of_a_spec(words: Host, tmp_path: Path) -> None:
    spec = Spec.from_json(gained().to_json())
    assert spec == gained() and isinstance(spec.networks["G"].layers[1], Gain)
    data = Source.from_arrays(
        "dots", np.random.default_rng(0).integers(0, 255, (8, 4, 4), np.uint8)
    )
    fresh = build(spec)["G"]
    initialize(fresh, spec.networks["G"], 0)
    assert torch.equal(fresh.get_parameter("layers.1.gain"), torch.full((16,), 3.0))

    for step in train(spec, data, steps=2, precision="fp32"):
        assert set(step.losses()) == {"D.d", "D.e", "G.g"}
        assert all(math.isfinite(value) for value in step.losses().values())
    gain = step.training.networks["G"].get_parameter("layers.1.gain")
    assert not torch.equal(gain, torch.full((16,), 3.0))

    model = step.model()
    loaded = store.load(store.save(model, tmp_path / "model"))
    assert torch.equal(loaded.networks["G"].get_parameter("layers.1.gain"), gain)
    assert np.array_equal(loaded.generate(3, output="np"), model.generate(3, output="np"))


def test_without_the_plugin_its_words_are_unknown(words: Host) -> None:
    data = gained().to_dict()
    before = vocabulary.extend_with(vocabulary.core)
    try:
        with pytest.raises(SpecError, match="no layer of kind 'gain'"):
            Spec.from_dict(data)
    finally:
        vocabulary.extend_with(before)


def test_a_layer_whose_weights_have_no_beginning(words: Host) -> None:
    """Made without memory, a module must be able to give its weights their first values."""

    class Bias(Layer):
        kind: Literal["biased"] = "biased"

        def module(self, shape: tuple[int, ...]) -> nn.Module:
            module = nn.Identity()
            module.register_parameter("bias", nn.Parameter(torch.zeros(shape)))
            return module

    words.register(plugin("biased", layers=[Bias]))
    network = Network({"z": ()}, (Linear(3), Bias()))
    spec = Spec(
        draws={"z": Normal(3)}, networks={"A": network}, round=[Update("A", {"a": "mean(A(z))"})]
    )
    with pytest.raises(PluginError, match=r"'biased': Identity has weights.*no reset_parameters"):
        build(spec)
