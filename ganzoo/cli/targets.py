"""What has a Spec: a variant, a Spec file, a run, or a model; each by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganzoo.cli.console import declared, recomposed
from ganzoo.errors import SpecError, StoreError, UnknownNameError, choices, nearest
from ganzoo.layout import CONFIG, RUN

if TYPE_CHECKING:
    from ganzoo.spec.spec import Spec


@dataclass(frozen=True)
class Found:
    """What a name means. `place` is a Spec file, or the folder of a run or of a model."""

    kind: Literal["variant", "file", "run", "model"]
    place: Path = Path()


def find(name: str) -> Found:
    """What a name means. It is looked for, in this order, as

    1. a folder of a run or of a model, or the config.json in one;
    2. a YAML or JSON file with a Spec;
    3. a variant;
    4. a model, as everywhere: an installed one, or one of the hub (`ganzoo.hub.resolve`).

    Raises:
        UnknownNameError: there is none of that name. StoreError, HubError: as `resolve` does.
    """
    from ganzoo import hub
    from ganzoo.hub import official
    from ganzoo.plugins.host import default
    from ganzoo.spec import files

    path = Path(name).expanduser()
    if (path / RUN).is_file():
        return Found("run", path)
    if any((folder / CONFIG).is_file() for folder in (path, path / "model")):
        return Found("model", hub.resolve(name))
    if path.name == CONFIG and path.is_file() and _is_of_a_model(path):
        return Found("model", path.parent)
    if files.is_file_name(name) and not path.is_dir():
        return Found("file", path)
    host = default()
    if name in host.variants:
        return Found("variant")
    models = {**hub.installed(), **official.models()}
    is_bare = path.parent == Path() and not path.is_dir() and "@" not in name
    if is_bare and name not in models:
        raise UnknownNameError(
            f"no variant {name!r}, and no model of that name"
            f"{nearest(name, [*host.variants, *models])} variants: {choices(host.variants)}; "
            "models: see `ganzoo models`; a YAML or JSON file with a Spec, or the folder of a run "
            f"or of a model, will do, too{host.not_loaded()}"
        )
    return Found("model", hub.resolve(name))


def _is_of_a_model(path: Path) -> bool:
    from ganzoo.hub.local import read_json

    try:
        read_json(path)
    except StoreError:
        return False
    return True


def spec_of(
    name: str,
    data: str | None,
    settings: Sequence[str] | None,
    loss: str | None = None,
    augment: str | None = None,
) -> Spec:
    """The Spec of a variant, a Spec file, a run or a model.

    Raises:
        SpecError: settings are given, and it is no variant.
    """
    found = find(name)
    if found.kind in ("variant", "file"):
        return declared(name, data, [*settings] if settings else None, loss, augment)[0]
    if settings:
        raise SpecError(f"--set is for variants; the Spec of this {found.kind} is as it was made")
    return recomposed(own_spec(found), {}, loss, augment)[0]


def own_spec(found: Found) -> Spec:
    """The Spec of a run or of a model. No weights are read."""
    if found.kind == "run":
        from ganzoo import runs

        return runs.Settings.read(found.place).spec
    from ganzoo.models.config import read_config

    return read_config(found.place).spec
