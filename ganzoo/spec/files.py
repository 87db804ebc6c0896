"""A Spec as a file: JSON or YAML, a variant without any Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganzoo.errors import SpecError
from ganzoo.spec.spec import MAX_TEXT, Spec, strict_json

SUFFIXES = (".yaml", ".yml", ".json")


def is_file_name(name: str) -> bool:
    """Whether `name` means a file with a Spec, rather than a variant."""
    return name.lower().endswith(SUFFIXES)


def read(path: str | Path) -> Spec:
    """The Spec in a YAML or JSON file.

    Raises:
        SpecError: the file cannot be read, is no YAML or JSON, or breaks the language.
    """
    return Spec.from_dict(plain(path))


def plain(path: str | Path) -> Any:
    """The plain data in a YAML or JSON file; SpecError where it cannot be read."""
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from None
    if len(text) > MAX_TEXT:
        raise SpecError(f"{path} has {len(text)} characters; at most {MAX_TEXT} are read")
    return strict_json(text) if path.suffix.lower() == ".json" else _yaml(text)


def _yaml(text: str) -> Any:
    import re

    import yaml

    class Loader(yaml.SafeLoader):
        """YAML that refuses a key that stands twice, and reads 1e-4 as a number."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys: list[Any] = [
                self.construct_object(pair[0], deep=True)  # type: ignore[reportUnknownMemberType]
                for pair in node.value
            ]
            for index, key in enumerate(keys):
                if key in keys[:index]:
                    line = node.start_mark.line + 1
                    raise SpecError(f"the key {key!r} stands twice (mapping at line {line})")
            return super().construct_mapping(node, deep)

    # YAML 1.1 reads on, off, yes and no as truth values, and `on` is a key of updates
    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(  # type: ignore[reportUnknownMemberType]
        "tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf")
    )
    # and it takes 1e-4 for text, since there is no point
    Loader.add_implicit_resolver(  # type: ignore[reportUnknownMemberType]
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise SpecError(f"not valid YAML: {error}") from None
