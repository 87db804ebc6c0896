"""Shell completion: names of models, variants, data sets and losses, files and folders.

`ganzoo --install-completion` sets it up. Commands do not import this module when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path


def models(incomplete: str) -> list[str]:
    """Installed models, and folders of models and runs."""
    from ganzoo.hub import installed

    return _beginning(incomplete, installed()) + _folders(incomplete)


def variants(incomplete: str) -> list[str]:
    """Variants of all plugins, and files with a Spec or a run."""
    from ganzoo.plugins.host import default

    return _beginning(incomplete, [*default().variants, *_files(".yaml", ".yml", ".json")])


def specs(incomplete: str) -> list[str]:
    """Everything that has a Spec: variants, files, models, runs."""
    return [*dict.fromkeys(variants(incomplete) + models(incomplete))]


def losses(incomplete: str) -> list[str]:
    """Losses of ganzoo and of plugins, and files with one."""
    from ganzoo.plugins.host import default

    return _beginning(incomplete, [*default().losses, *_files(".yaml", ".yml", ".json")])


def functions(incomplete: str) -> list[str]:
    """Functions that expressions can call."""
    from ganzoo.plugins.host import default

    return _beginning(incomplete, default().functions)


def layers(incomplete: str) -> list[str]:
    """Kinds of layers."""
    from ganzoo.plugins.host import default

    return _beginning(incomplete, default().layers)


def trackers(incomplete: str) -> list[str]:
    """Trackers of ganzoo and of plugins."""
    from ganzoo.plugins.host import default

    return _beginning(incomplete, default().trackers)


def one_of(*words: str) -> Callable[[str], list[str]]:
    """A completion from a fixed list of words."""
    return lambda incomplete: _beginning(incomplete, words)


def data(incomplete: str) -> list[str]:
    """Data sets, and folder:PATH."""
    from ganzoo.data.catalog import DATASETS
    from ganzoo.plugins.host import default

    prefix = "folder:"
    if incomplete.startswith(prefix):
        return [f"{prefix}{path}" for path in _folders(incomplete.removeprefix(prefix))]
    return _beginning(incomplete, [*DATASETS, *default().data, prefix])


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _files(*endings: str) -> list[str]:
    """The files in this folder with these endings."""
    return [path.name for path in Path().iterdir() if path.suffix in endings and path.is_file()]


def _folders(incomplete: str) -> list[str]:
    """The folders whose path begins with this text."""
    parent, slash, start = incomplete.rpartition("/")
    try:
        found = sorted(
            path.name for path in Path(parent or slash or ".").iterdir() if path.is_dir()
        )
    except OSError:
        return []
    hidden = start.startswith(".")
    return [
        f"{parent}{slash}{name}"
        for name in found
        if name.startswith(start) and (hidden or not name.startswith("."))
    ]
