"""What shells complete: names of models, variants and data sets, beside folders that are there.

`ganzoo --install-completion` sets it up; nothing here is imported by a command that runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def models(incomplete: str) -> list[str]:
    """Installed models, and folders of models and runs."""
    from ganzoo.hub import installed

    return _beginning(incomplete, installed()) + _folders(incomplete)


def variants(incomplete: str) -> list[str]:
    """Variants of all plugins, and Spec files."""
    from ganzoo.plugins.host import default

    files = [str(path) for ending in ("yaml", "yml", "json") for path in Path().glob(f"*.{ending}")]
    return _beginning(incomplete, [*default().variants, *files])


def data(incomplete: str) -> list[str]:
    """Data sets, and folder:PATH."""
    from ganzoo.data.catalog import DATASETS
    from ganzoo.plugins.host import default

    prefix = "folder:"
    if incomplete.startswith(prefix):
        return [f"{prefix}{path}" for path in _folders(incomplete.removeprefix(prefix))]
    return _beginning(incomplete, [*DATASETS, *default().data, prefix])


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _folders(incomplete: str) -> list[str]:
    """The folders whose path begins so."""
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
