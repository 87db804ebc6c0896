"""Specs in JSON or YAML files: variants without Python."""

from __future__ import annotations

from collections.abc import Iterator
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
        tree = reader.compose(text)
        if tree is None:
            return None
        # first, since the halves of two expressions may look like a key that is given twice
        if split := [*_split(tree, (), set())]:
            raise SpecError(split)
        return reader.constructor.construct_document(tree)
    except DuplicateKeyError as error:
        said: Any = error
        line = said.problem_mark.line + 1 if said.problem_mark else "?"
        raise SpecError(f"duplicate key (line {line}): {said.problem}") from None
    except SpecError:
        raise
    except (YAMLError, ValueError) as error:
        raise SpecError(f"not valid YAML: {error}") from None
    except RecursionError:
        raise SpecError("the data are nested too deep") from None


def _split(tree: Any, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, str]]:
    """The expressions that YAML has split at their commas, with their paths.

    In `{real: bce(D(x), 1)}` a comma ends the value, so `1)` is another key, without a value.
    """
    if tree.id == "scalar" or id(tree) in seen:  # an anchor is read once
        return
    seen.add(id(tree))
    pairs = tree.id == "mapping"
    items: list[Any] = tree.value if pairs else [(None, item) for item in tree.value]
    whole = 0
    for index, (key, item) in enumerate(items):
        name = str(index) if key is None else str(key.value) if key.id == "scalar" else "?"
        begun = key if key is not None and _is_missing(item) else item
        pieces = [begun.value] if tree.flow_style and _is_plain(begun) else []
        for more in items[index + 1 :] if pieces and index >= whole else ():
            if _open(pieces) < 1 or not _continues(*more):
                break
            pieces.append((more[0] if pairs else more[1]).value)
        # in a list, only the end shows that the items are one
        if len(pieces) > 1 and (pairs or _open(pieces) < 1):
            whole = index + len(pieces)
            label = f"{name}: " if key is not None and begun is item else ""
            quoted = f'{label}"{", ".join(pieces)}"'
            yield (
                ".".join((*path, name) if begun is item else path),
                f"in {{...}} and [...] a comma ends a value, so quote the expression: {quoted}",
            )
        yield from _split(item, (*path, name), seen)


def _is_plain(node: Any) -> bool:
    """Whether it is a word without quotes."""
    return node.id == "scalar" and node.style is None


def _is_missing(node: Any) -> bool:
    return _is_plain(node) and not node.value and node.start_mark.index == node.end_mark.index


def _continues(key: Any, item: Any) -> bool:
    """Whether an item may be the rest of the one before: a key without a value, or a word."""
    return _is_plain(item) if key is None else _is_plain(key) and _is_missing(item)


def _open(pieces: list[str]) -> int:
    """The number of parentheses that are open at the end."""
    return sum(piece.count("(") - piece.count(")") for piece in pieces)
