"""Captions beside pictures: captions.jsonl, captions.csv, metadata.jsonl, metadata.csv. No torch.

Each line names a picture by its path from the file (`file`, `file_name`, ...) and says what it
shows (`text`, `caption`, ...). `metadata.*` are those of Hugging Face's image folders.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import DataError, choices, plain

NAMES = ("captions.jsonl", "captions.csv", "metadata.jsonl", "metadata.csv")
"""In the order in which they are looked for; the first that exists is read."""
LINE = '{"file": "1.png", "text": "what it shows"}'
FILE_KEYS = ("file", "file_name", "filename", "image", "path")
TEXT_KEYS = ("text", "caption", "captions", "texts", "description", "sentence")
MOST_BYTES = 2**28
EXAMPLES, LONGEST = 8, 500
"""The most captions that sample sheets use, and the most characters of each."""


@dataclass(frozen=True)
class Captions:
    """The first caption of each picture that has one.

    Args:
        file: the file of captions. texts: by the picture's path below the folder.
        several: pictures with more than one.
    """

    file: Path
    texts: dict[str, str]
    several: int = 0

    def examples(self) -> tuple[str, ...]:
        """Some of them, evenly spaced in alphabetical order."""
        short = sorted({text for text in self.texts.values() if len(text) <= LONGEST})
        step = max(1, len(short) // EXAMPLES)
        return tuple(short[::step][:EXAMPLES])


def search(folder: Path, inside: Sequence[str] = ("",)) -> Captions | None:
    """The captions of a folder; None if it has no such file.

    Args:
        inside: subfolders that may have files of their own, as splits do.

    Raises:
        DataError: a file cannot be read, or is malformed.
    """
    texts: dict[str, str] = {}
    found: list[Path] = []
    several = 0
    for part in ("", *inside):
        file = next(
            (folder / part / name for name in NAMES if (folder / part / name).is_file()), None
        )
        if file is None or file in found:
            continue
        found.append(file)
        seen = set[str]()
        for picture, text in _lines(file):
            path = f"{part}/{picture}" if part else picture
            if path in texts:
                several += path not in seen
                seen.add(path)
            texts.setdefault(path, text)
    return Captions(found[0], texts, several) if found else None


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Each picture with a caption, in the order of the file."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{str(file)!r} is larger than {MOST_BYTES >> 20} MiB")
        content = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{str(file)!r} cannot be read ({error}); captions are UTF-8") from None
    rows = _json_lines(file, content) if file.suffix == ".jsonl" else _csv_lines(file, content)
    for number, row in rows:
        place = f"{str(file)!r}, line {number}"
        picture = _value(place, row, FILE_KEYS, "the picture's path")
        if not isinstance(picture, str) or not picture:
            raise DataError(
                f"{place}: the picture's path is {picture!r}; it is a text, from the folder of "
                f"{file.name}"
            )
        texts = _value(place, row, TEXT_KEYS, "the caption")
        for text in texts if isinstance(texts, list) else [texts]:
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"{place}: the caption of {picture!r} is {plain(repr(text), 60)}; it must be a "
                    "text that is not empty. Leave the line out where there is none"
                )
            yield Path(picture).as_posix(), " ".join(text.split())


def _json_lines(file: Path, content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{str(file)!r}, line {number} is not JSON ({error}); a line is such as {LINE}"
            ) from None
        if not isinstance(row, dict):
            raise DataError(
                f"{str(file)!r}, line {number} is not a JSON object; a line is such as {LINE}"
            )
        yield number, row


def _csv_lines(file: Path, content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.DictReader(io.StringIO(content, newline=""))
    try:
        for row in rows:
            if None in row:  # what is left over of a longer line
                raise DataError(
                    f"{str(file)!r}, line {rows.line_num} has more columns than the first line, "
                    f"{choices(rows.fieldnames or ())}; a text with a comma is written in "
                    'quotation marks: 1.png,"a cat, asleep"'
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise DataError(f"{str(file)!r}, line {rows.line_num} is not CSV ({error})") from None


def _value(place: str, row: dict[str, Any], keys: Sequence[str], what: str) -> Any:
    for key in keys:
        if key in row:
            return row[key]
    raise DataError(
        f"{place} does not say {what}: it has {choices(map(str, row))}, and one of "
        f"{choices(keys)} is needed"
    )
