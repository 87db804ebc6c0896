"""The plugin that `ganzoo new` writes: it installs, conforms and trains without changes."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from string import Template

from ganzoo.errors import PluginError
from ganzoo.plugins.host import default

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "$title, a variant for ganzoo"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["ganzoo>=$ganzoo"]

# where ganzoo looks for plugins: the name of the plugin, and its module
[project.entry-points.ganzoo]
$module = "$module"

[dependency-groups]
test = ["pytest>=8"]

[tool.hatch.build]
dev-mode-dirs = ["."]  # what pip install -e adds to the path

[tool.hatch.build.targets.wheel]
include = ["$module.py"]
""",
    "$module.py": '''\
"""$title: say here where it comes from, what is kept of it, and what is changed."""

from ganzoo import Fields, Spec, Variant, hookimpl
from ganzoo.spec import Adam, Linear, Network, Normal, Update, conv_stack, deconv_stack


class $title(Variant):
    """One sentence on what it is, for `ganzoo variants`."""

    name = "$name"

    latent: int = 64
    width: int = 32
    lr: float = 2e-4
    batch: int = 64
    steps: int = 5_000

    def spec(self, data: Fields) -> Spec:
        image = data.image
        adam = Adam(lr=self.lr, betas=(0.5, 0.999))
        return Spec(
            title="$title",
            draws={"x": image, "z": Normal(self.latent)},
            networks={
                "G": Network({"z": ()}, deconv_stack(image, self.width)),
                "D": Network({"x": ()}, [*conv_stack(image, self.width), Linear(1)]),
            },
            let={"fake": "G(z)"},
            round=[
                Update("D", {"real": "bce(D(x), 1)", "fake": "bce(D(fake), 0)"}, adam),
                Update("G", {"fool": "bce(D(fake), 1)"}, adam),
            ],
            steps=self.steps,
            tasks={"generate": "G(z)"},
            batch=self.batch,
        )


@hookimpl
def ganzoo_variants():
    return [$title]
''',
    "test_$module.py": '''\
"""That $title is what every variant of ganzoo should be; add what is special about it."""

import pytest
from ganzoo.testing import CHECKS, conforms


@pytest.mark.parametrize("check", CHECKS)
def test_conforms(check: str) -> None:
    conforms("$name", check, width=8)
''',
    "README.md": """\
# $name

$title, a variant for ganzoo.

    pip install -e .             # then it is in `ganzoo variants`
    ganzoo check-plugin $name    # is it what a variant should be?
    pytest                       # the same, and tests of your own
    ganzoo train $name --data digits --out runs/$name
    ganzoo sample runs/$name -o samples.png
""",
}
"""By file name; `$name`, `$module`, `$title` and `$ganzoo` are filled in."""


def create(name: str, folder: Path | None = None) -> Path:
    """Write a plugin of that name; returns its folder.

    Args:
        name: of the variant and of the distribution, such as "my-gan".
        folder: its path; by default one of that name in the current directory.

    Raises:
        PluginError: the name is not allowed or already taken, or the folder exists.
    """
    check_name(name)
    folder = Path(name) if folder is None else folder
    module = name.replace("-", "_")
    values = {"name": name, "module": module, "title": title(name), "ganzoo": _version()}
    if folder.exists() or folder.is_symlink():
        raise PluginError(f"{folder} exists already, and is not overwritten; give --folder")
    try:
        folder.mkdir(parents=True)
        for path, text in FILES.items():
            file = folder / Template(path).substitute(values)
            file.write_text(Template(text).substitute(values), "utf-8")
    except OSError as error:
        raise PluginError(f"{folder} cannot be written ({error})") from None
    return folder


def check_name(name: str) -> None:
    """PluginError unless a plugin may have this name."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 40:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
        hint = f"; {plain!r} would do" if re.match(r"[a-z]", plain) else ""
        raise PluginError(
            f"a plugin cannot be named {name!r}: small letters, digits and single hyphens, "
            f"beginning with a letter, at most 40{hint}"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise PluginError(
            f"a plugin cannot be named {name!r}: its module would be {module!r}, which is "
            f"Python's own; {name + '-gan'!r} would do"
        )
    host = default()
    if name in host.variants:
        raise PluginError(
            f"there is a variant {name!r} already, of {host.providers['variants', name]}; "
            "choose another name"
        )
    found = find_spec(module)
    if found is not None and found.origin:  # a mere folder of that name has none
        raise PluginError(
            f"there is a Python package {module!r} already, which the plugin's module would "
            "hide; choose another name"
        )


def title(name: str) -> str:
    """A display name, and the class: my-gan is MyGAN, lsgan LSGAN, cyclegan CycleGAN."""
    words: list[str] = []
    for word in name.split("-"):
        stem = word.removesuffix("gan")
        gan = "GAN" if stem != word else ""
        words.append((stem.upper() if gan and len(stem) <= 3 else stem.capitalize()) + gan)
    return "".join(words)


def _version() -> str:
    """The required ganzoo version: the current one without its last number."""
    try:
        return ".".join(metadata.version("ganzoo").split(".")[:2])
    except metadata.PackageNotFoundError:  # run from a folder, without having been installed
        return "0.1"
