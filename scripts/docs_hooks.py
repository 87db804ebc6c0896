"""Hooks of mkdocs: formulas as MathML, and pictures and files of the repository outside docs/.

Pages of docs/ are read in the repository, too, so they link to files beside it. In the site such
pictures become a part of it, and other files lead to the repository.
"""

from __future__ import annotations

import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r'<(div|span) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>', re.DOTALL)
"""What the extension arithmatex makes of $$...$$ and $...$."""
_LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]+)?\)")
_PICTURES = (".png", ".webp", ".gif", ".jpg", ".svg")


def on_page_content(html: str, **_: Any) -> str:
    """Replace each formula of a page."""

    def formula(found: re.Match[str]) -> str:
        display = "block" if found[2] == "[" else "inline"
        return convert(unescape(found[3]).strip(), display=display)

    return _BLOCK.sub(formula, html)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links that leave docs/: to pictures inside the site, to other files in the repository."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", folder, found[1]))
        if path.startswith("docs/") or not (ROOT / path).exists():
            return found[0]  # mkdocs says what is wrong with it
        if not path.endswith(_PICTURES):
            return f"]({config.repo_url.rstrip('/')}/blob/main/{path}{found[2] or ''})"
        return f"]({posixpath.relpath(path, folder or '.')})"

    return _LINK.sub(link, markdown)


def on_files(files: Files, config: Any) -> Files:
    """The pictures that pages show, wherever they lie in the repository."""
    for file in list(files.documentation_pages()):
        text = Path(file.abs_src_path or "").read_text("utf-8")
        for relative, _ in _LINK.findall(text):
            folder = posixpath.dirname(file.src_uri)
            path = posixpath.normpath(posixpath.join("docs", folder, relative))
            inside = path.startswith("docs/") or files.get_file_from_path(path)
            if path.endswith(_PICTURES) and not inside and (ROOT / path).is_file():
                files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files
