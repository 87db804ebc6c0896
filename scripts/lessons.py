"""Writes the lessons of the laboratory into docs/lessons: `python scripts/lessons.py`."""

from __future__ import annotations

from pathlib import Path

from ganzoo.lab import lessons

FOLDER = Path(__file__).parents[1] / "docs" / "lessons"


def pages() -> dict[str, str]:
    """The text of each file, by its name."""
    all_ = lessons.all()
    index = [
        "# Ten lessons in the laboratory",
        "Each opens a game in the browser, with three paragraphs and one thing to try: "
        "`ganzoo lab --lesson 1`.",
        "\n".join(f"{lesson.number}. [{lesson.title}]({lesson.name})" for lesson in all_),
    ]
    found = {lesson.name: lesson.markdown() for lesson in all_}
    return {"README.md": "\n\n".join(index) + "\n", **found}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
