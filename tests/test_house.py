"""The order of the house: each module imports only what stands above it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "ganzoo"

ORDER = [
    "errors", "version", "layout", "lock", "atomic", "workers", "reading", "seed", "extension",
    "spec", "data.catalog", "metrics.metric", "trackers", "plugins", "nn", "data", "pictures",
    "models", "export", "engine", "hub", "metrics", "publish", "runs", "compare", "testing",
    "lab", "demo", "cli", "__main__",
]  # fmt: skip
"""Downwards. `data.catalog` and `metrics.metric` declare data sets and metrics without torch, so
they stand above the host.

Inside a package, modules may import each other as they like.
"""

UPWARD = {
    ("hub", "runs"): "from_pretrained takes the folder of a run that was stopped",
    ("models", "publish"): "Model.push_to_hub is a word for publish.push.push_model",
}
"""Imports inside functions that go against the order, and why."""

NAMED = {
    ("data.catalog", "data"): "what loads a data set comes with torch, and its declaration without",
}
"""Modules further down that are named in texts, to be imported later, and why."""

PACKAGE = "ganzoo"


def place(module: str) -> str:
    """The name in ORDER to which a module belongs."""
    path = module.removeprefix(f"{PACKAGE}.").split(".")
    for name in (".".join(path[:2]), path[0]):
        if name in ORDER:
            return name
    raise AssertionError(f"{module} has no place in the order of the house")


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(HOUSE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()
CODE = sorted(
    path
    for folder in ("ganzoo", "plugins", "scripts", "spaces", "benchmarks", "model_cards")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("test_")
)


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """Modules of ganzoo that a module imports, and whether it does so inside a function.

    What stands under `if TYPE_CHECKING:` never runs and does not count.
    """

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=other):
                for child in other:
                    yield from visit(child, inside)
                return
            case ast.Import(names=names):
                yield from ((alias.name, inside) for alias in names)
            case ast.ImportFrom(module=source, names=names, level=0) if source:
                for alias in names:
                    whole = f"{source}.{alias.name}"
                    yield (whole if whole in MODULES else source), inside
            case ast.ImportFrom():
                raise AssertionError(f"{module}: relative imports hide the order")
            case _:
                pass
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    tree = ast.parse(MODULES[module].read_text("utf-8"))
    for found, inside in visit(tree, False):
        if found.split(".")[0] == PACKAGE:
            assert found == PACKAGE or found in MODULES, f"{module} imports {found}"
            yield found, inside


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", [name for name in MODULES if name != PACKAGE])
def test_each_module_imports_what_stands_above_it(module: str) -> None:
    for imported, inside in imports(module):
        if imported == PACKAGE or package(imported) == package(module):
            assert imported != PACKAGE or inside, f"{module} imports the public names"
            continue
        ours, theirs = place(module), place(imported)
        if inside and (ours, theirs) in UPWARD:
            continue
        assert ORDER.index(theirs) < ORDER.index(ours), f"{module} imports {imported}"


def named(module: str) -> Iterator[str]:
    """Modules of ganzoo that a module names in texts, whole or at their beginning."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        found = re.match(r"ganzoo(\.\w+)+(?=[:.]|$)", node.value)
        if found is None or id(node) in docstrings:
            continue
        name = found[0]
        while name not in MODULES:
            name = name.rpartition(".")[0]
        if name != PACKAGE:
            yield name


@pytest.mark.parametrize("module", [name for name in MODULES if name != PACKAGE])
def test_each_module_names_what_stands_above_it(module: str) -> None:
    """A module that is named in a text and imported by it is an import, too."""
    for name in named(module):
        ours, theirs = place(module), place(name)
        if package(name) != package(module) and (ours, theirs) not in NAMED:
            assert ORDER.index(theirs) < ORDER.index(ours), f"{module} names {name}"


def test_texts_that_name_modules_are_seen() -> None:
    assert ("data.catalog", "data") in {
        (place(module), place(name)) for module in MODULES if module != PACKAGE
        for name in named(module)
    }  # fmt: skip
    assert set(NAMED) <= {("data.catalog", "data")}


def test_no_exception_is_left_over() -> None:
    used = {
        (place(module), place(imported))
        for module in MODULES
        if module != PACKAGE
        for imported, inside in imports(module)
        if inside and imported != PACKAGE
    }
    assert set(UPWARD) <= used


def test_the_public_names_are_lazy() -> None:
    assert set(imports(PACKAGE)) == {
        ("ganzoo.errors", False), ("ganzoo.extension", False), ("ganzoo.plugins.host", True),
    }  # fmt: skip


def test_what_is_imported_is_declared() -> None:
    """No package is there by luck, because another one needs it, too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[^A-Za-z0-9._-]", text)[0] for texts in lists for text in texts}
    declared = {name.lower().replace("-", "_").replace(".", "_") for name in names}
    called = {"PIL": "pillow", "sklearn": "scikit_learn", "ruamel": "ruamel_yaml"}
    found: dict[str, str] = {}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported: list[str] = []
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module]
            found |= {one.split(".")[0]: name for one in imported}
    found = {one: name for one, name in found.items() if one not in sys.stdlib_module_names}
    missing = {
        one: name for one, name in found.items()
        if one != PACKAGE and called.get(one, one) not in declared
    }  # fmt: skip
    assert {"torch", "PIL", "pydantic_core", "httpx2"} <= set(found)
    assert missing == {}


def test_no_module_is_named_after_nothing() -> None:
    nothing = {"utils", "util", "common", "base", "manager", "helpers", "misc"}
    assert not nothing & {part for name in MODULES for part in name.split(".")}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_modules_above_the_line_come_without_torch() -> None:
    light = [
        *(name for name in MODULES if name.startswith("ganzoo.spec")),
        "ganzoo.errors", "ganzoo.atomic", "ganzoo.reading", "ganzoo.models.config", "ganzoo.data",
        "ganzoo.data.catalog", "ganzoo.hub",
        "ganzoo.metrics", "ganzoo.metrics.metric", "ganzoo.trackers",
        "ganzoo.plugins.hookspecs", "ganzoo.plugins.host", "ganzoo.plugins.named",
        "ganzoo.hub.remote", "ganzoo.hub.fetch", "ganzoo.cli",
    ]  # fmt: skip
    code = (
        "import sys\nfrom importlib import import_module\n"
        f"for name in {light!r}:\n"
        "    import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
        "import ganzoo.plugins.host\n"
        "assert ganzoo.plugins.host.default().variants\n"
        "assert 'torch' not in sys.modules, 'plugins'\n"
    )
    python(code)


def test_importing_ganzoo_imports_next_to_nothing() -> None:
    """Neither torch nor pydantic, nor anything else that is not Python's own."""
    code = (
        "import sys\nbefore = set(sys.modules)\nimport ganzoo\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))\n"
    )
    assert python(code).split() == ["ganzoo"]


def test_every_public_name_is_there() -> None:
    """`__all__`, the lazy table and the names for type checkers agree, sorted."""
    import ganzoo

    tree = ast.parse(MODULES[PACKAGE].read_text("utf-8"))
    checked = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.If)
        for child in node.body
        if isinstance(child, ast.ImportFrom)
        for alias in child.names
    }
    assert checked | {"GanzooError"} == set(ganzoo.__all__)
    assert list(ganzoo.__all__) == sorted(ganzoo.__all__)
    assert set(ganzoo.__all__) <= set(dir(ganzoo))
    for name in ganzoo.__all__:
        assert getattr(ganzoo, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ganzoo.nothing  # noqa: B018


def test_all_public_names_are_checked_strictly() -> None:
    """By pyright; and no file, of plugins either, is let off by a comment."""
    import ganzoo

    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    strict = tools["pyright"]["strict"]
    reached = {getattr(ganzoo, name).__module__ for name in ganzoo.__all__ if name != "hookimpl"}
    reached |= {entry.partition(":")[0] for entry in ganzoo._PUBLIC.values()}
    for module in sorted(reached):
        path = MODULES[module].relative_to(ROOT)
        assert {str(path), *map(str, path.parents)} & set(strict), f"{path} is not strict"
    lenient = [
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(r"^# pyright: (?!strict$)", path.read_text("utf-8"), re.M)
    ]
    assert lenient == []


# ------------------------------------------------------------------------ size and words

LONGEST = 500
"""Lines of a file. A longer one has a second subject, which deserves a file of its own."""
LONGER: dict[str, str] = {}
"""Files that are longer, and why."""


def test_files_are_short_enough_to_have_one_subject() -> None:
    assert len(CODE) > 200
    long = {
        str(path.relative_to(ROOT)) for path in CODE
        if len(path.read_text("utf-8").splitlines()) > LONGEST
    }  # fmt: skip
    assert long == set(LONGER)


OLD_WORDS = re.compile(r"(?<![a-z])(judges?|apprentices?|shelf|shelves)(?![a-z])", re.I)
"""Former names of the feature extractor and the discriminator, the process of live training, and
the model registry. The verb in other forms (judged) is plain English."""
KEEPERS = {
    "ganzoo/metrics/report.py": "reads reports of format 1; `Report.judge` is deprecated",
    "ganzoo/publish/card.py": "reads reports of format 1",
    "plugins/ganzoo-discogan/ganzoo_discogan.py": "the former name of a setting",
    "plugins/ganzoo-discogan/test_discogan.py": "the former name of a setting",
    "plugins/ganzoo-emoji/ganzoo_emoji/captions.jsonl": "there are emoji of judges",
    "tests/test_card.py": "cards of format 1",
    "tests/test_house.py": "this test",
    "tests/test_metrics.py": "reports of format 1",
}
"""Files that may have old words, and why."""


def test_old_words_are_gone() -> None:
    folders = ("ganzoo", "plugins", "spaces", "scripts", "docs", "tests")
    kinds = {".py", ".md", ".yaml", ".yml", ".js", ".css", ".html", ".ipynb", ".jsonl", ".toml"}
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    paths += [ROOT / "README.md", *ROOT.glob("model_cards/*/README.md")]
    found = {
        str(path.relative_to(ROOT)) for path in paths
        if path.suffix in kinds and OLD_WORDS.search(path.read_text("utf-8"))
    }  # fmt: skip
    assert found == set(KEEPERS)


# ------------------------------------------------------------------ which test is whose

TESTS = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}

ELSEWHERE = {
    "__main__": "cli",
    "errors": "spec",
    "extension": "host",
    "layout": "store",
    "lock": "atomic",
    "nn": "build",
    "nn.devices": "engine",
    "nn.interpreter": "expression",
    "nn.optimizers": "engine",
    "nn.moving_adam": "capture",
    "plugins": "host",
    "publish": "push",
    "seed": "engine",
    "version": "host",
}
"""Modules without a test of their name, and the one that tests them."""

WHOLE = {
    "benchmarks": "benchmarks/",
    "cuda": "what differs on a GPU",
    "docs": "docs/ and .github/workflows",
    "house": "this file",
    "modern_variants": "plugins of this repository, of papers since 2016",
    "notebooks": "docs/notebooks",
    "packaging": "wheels",
    "papers": "docs/papers.md",
    "preprocessing": "one declaration, from data through training to use",
    "readme": "README.md",
    "strangers": "folders built to do harm, from loading to every task",
    "tutorial": "docs/plugins.md",
    "variants": "the plugins of this repository",
    "zoo": "scripts/zoo.py",
}
"""Tests of more than a module."""


def names_of(module: str) -> Iterator[str]:
    """Names that a module's test may have, the first that exists counts.

    `ganzoo.spec.layers.weights`: spec_layers_weights, layers_weights, weights, then those of
    `ganzoo.spec.layers`, and so on.
    """
    path = module.split(".")[1:] or [PACKAGE]
    while path:
        yield from ("_".join(path[start:]) for start in range(len(path)))
        if (listed := ELSEWHERE.get(".".join(path))) is not None:
            yield listed
        path.pop()


LEAVES = Counter(module.rpartition(".")[2] for module in MODULES)


def is_meant(test: str, module: str) -> bool:
    """Whether a test of a name that several modules have, such as `parts`, is of this one."""
    parent, _, leaf = module.rpartition(".")
    if test != leaf or LEAVES[leaf] == 1 or parent.endswith(f".{leaf}"):
        return True
    text = (ROOT / f"tests/test_{test}.py").read_text("utf-8")
    imported = rf"{re.escape(module)}\b|from {re.escape(parent)} import .*\b{leaf}\b"
    return re.search(imported, text) is not None


def home_of(module: str) -> str:
    """The test file of a module, without `test_`."""
    names = (name for name in names_of(module) if name in TESTS)
    found = next((name for name in names if is_meant(name, module)), None)
    assert found, f"no test file for {module}: write tests/test_{module.split('.')[-1]}.py"
    return found


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_a_test_of_its_name(module: str) -> None:
    """Of its own name, or of its package's: tests/test_convolution.py for nn/convolution.py."""
    assert home_of(module)


def test_each_test_is_named_as_a_module() -> None:
    """`test_NAME`, or `test_NAME_ASPECT`."""
    named = {name for module in MODULES for name in names_of(module)}
    strange = {
        test for test in TESTS - set(WHOLE)
        if not any(test == name or test.startswith(f"{name}_") for name in named)
    }  # fmt: skip
    assert not strange, "rename them, or list them in WHOLE with the reason"
    assert set(WHOLE) <= TESTS and set(ELSEWHERE.values()) <= TESTS
    modules = {module.partition(".")[2] for module in MODULES}
    assert set(ELSEWHERE) <= modules


def test_tests_share_no_test() -> None:
    """What several tests need stands in tests/builders.py and the like."""
    for path in sorted((ROOT / "tests").glob("*.py")):
        found = re.findall(r"^\s*from tests\.test_\w+ import", path.read_text("utf-8"), re.M)
        assert not found, f"{path.name}: {found}"
