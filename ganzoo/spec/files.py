"""Specs in JSON or YAML files: variants without Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganzoo.errors import SpecError, StoreError
from ganzoo.reading import content
from ganzoo.spec.json_text import strict_json
from ganzoo.spec.spec import MAX_TEXT, Spec

SUFFIXES = (".yaml", ".yml", ".json")


def is_file_name(name: str) -> bool:
    """Whether `name` is the name of a Spec file rather than of a variant."""
    return name.lower().endswith(SUFFIXES)


def read(path: str | Path) -> Spec:
    """The Spec in a YAML or JSON file.

    Raises:
        SpecError: the file cannot be read, is not valid YAML or JSON, or breaks the language.
    """
    return Spec.from_dict(plain(path))


def plain(path: str | Path) -> Any:
    """The plain data in a YAML or JSON file; SpecError if it cannot be read."""
    path = Path(path)
    try:
        text = content(path, 4 * MAX_TEXT, anywhere=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} cannot be read: {error}") from None
    except StoreError as error:
        raise SpecError(str(error)) from None
    if len(text) > MAX_TEXT:
        raise SpecError(f"{path} has {len(text)} characters; at most {MAX_TEXT} are read")
    return strict_json(text) if path.suffix.lower() == ".json" else _yaml(text)


def _yaml(text: str) -> Any:
    """YAML 1.2: `on` is a string, 1e-4 a number, and a duplicate key an error."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    try:
        # ruamel.yaml has no types of its own for these
        reader: Any = YAML(typ="safe", pure=True)
        return reader.load(text)
    except DuplicateKeyError as error:
        said: Any = error
        line = said.problem_mark.line + 1 if said.problem_mark else "?"
        raise SpecError(f"duplicate key (line {line}): {said.problem}") from None
    except (YAMLError, ValueError) as error:
        raise SpecError(f"not valid YAML: {error}") from None
    except RecursionError:
        raise SpecError("the data are nested too deep") from None
