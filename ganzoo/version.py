"""The distribution of this package, and its version.

The name `ganzoo` on the Python package index belongs to someone else; `pip install ganzoo-core` is
this one. The import name and the command are `ganzoo`.
"""

from __future__ import annotations

from importlib import metadata

DISTRIBUTION = "ganzoo-core"
MODELS = "ganzoo-models"
"""The distribution with the published models."""


def version() -> str:
    """The installed version; "0" in a checkout that was never installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0"


def install(extra: str = "") -> str:
    """The command that installs ganzoo, with an extra if one is named."""
    return f'pip install "{DISTRIBUTION}[{extra}]"' if extra else f"pip install {DISTRIBUTION}"
