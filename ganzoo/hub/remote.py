"""The hub itself: asked through huggingface_hub, within a few seconds or not at all."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ganzoo.errors import UnreachableError, plain
from ganzoo.hub.download import Patience, bounded
from ganzoo.hub.errors import scrubbed, translated, unreachable
from ganzoo.hub.names import Repository
from ganzoo.layout import CONFIG, MAX_CONFIG, WEIGHTS
from ganzoo.version import version

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

CONNECT, ANSWER, PATIENCE = 3.0, 6.0, 8.0
"""Seconds to reach the hub, to hear from it, and for a first answer in all.

The last is needed, too: a name may stand for many addresses, and each gets its own wait.
"""
PICTURES = ("png", "jpg", "jpeg", "gif", "webp")
_FETCHED = re.compile(
    rf"{re.escape(CONFIG)}|{re.escape(WEIGHTS)}|README\.md|LICENSE|metrics\.json|history\.json"
    rf"|[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}\.({'|'.join(PICTURES)})",
    re.ASCII,
)
MAX_SIZES = {CONFIG: MAX_CONFIG, WEIGHTS: 8_000_000_000}
MAX_SIZE, MAX_FILES = 20_000_000, 64
"""Bytes of any other file, and how many of them there may be."""


@dataclass(frozen=True)
class File:
    """A file as the hub's own record knows it. `hash` is SHA-256, or git's SHA-1 of a blob.

    A mirror may tell neither: then `size` is None, or `hash` empty.
    """

    name: str
    size: int | None
    hash: str

    @property
    def most(self) -> int:
        """Bytes that are read of it at most."""
        return MAX_SIZES.get(self.name, MAX_SIZE)


@dataclass(frozen=True)
class Info:
    """A repository as the hub tells of it: `files` are those that ganzoo fetches.

    `others` are names of files that it leaves alone; `card` is the head of README.md.
    """

    repository: Repository
    commit: str
    files: tuple[File, ...]
    others: tuple[str, ...]
    private: bool
    card: dict[str, Any]


def is_fetched(name: str) -> bool:
    """Whether ganzoo ever fetches or publishes a file of that name: no code, no pickles."""
    return bool(_FETCHED.fullmatch(name))


def address(endpoint: str | None) -> str:
    """The address of the hub that is asked."""
    from huggingface_hub import constants

    return (endpoint or constants.ENDPOINT).rstrip("/")


def client(endpoint: str | None, token: str | bool | None) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint, token=token, library_name="ganzoo", library_version=version())


@contextmanager
def asking(what: str, endpoint: str | None, token: str | bool | None) -> Iterator[HfApi]:
    """A client for calls about `what`; errors inside are ganzoo's, and none waits on for long."""
    from huggingface_hub import constants

    where = address(endpoint)
    with translated(what, where, token):
        if constants.HF_HUB_OFFLINE:
            raise UnreachableError(
                f"{what} is needed from {scrubbed(where)}, and HF_HUB_OFFLINE is set; unset it, or "
                "name a model that is here (`ganzoo hub list`)"
            )
        yield client(endpoint, token)


def say(text: str) -> None:
    """One line on standard error, before the network is used."""
    print(plain(text, 1000), file=sys.stderr, flush=True)


def info(repository: Repository, *, endpoint: str | None, token: str | bool | None) -> Info:
    """What the hub knows of a repository at its revision.

    Raises:
        HubError: of one kind or another, within `PATIENCE` seconds.
    """
    from huggingface_hub.hf_api import ModelInfo

    where = address(endpoint)
    path = f"{where}/api/models/{repository.id}/revision/{quote(repository.revision, safe='')}"
    patience = Patience(scrubbed(where), str(repository), say)
    with asking(str(repository), endpoint, token):
        answer = patience.ask(
            lambda: _soon(lambda: _answer(path, {"blobs": True}, token), str(repository), where)
        )
        found = ModelInfo(**answer.json())
        commit = str(found.sha)
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            raise ValueError(f"the commit is {plain(commit, 50)!r}")
        files: list[File] = []
        others: list[str] = []
        for sibling in found.siblings or []:
            if is_fetched(sibling.rfilename):
                hash = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
                size = sibling.lfs.size if sibling.lfs else sibling.size
                files.append(_file(sibling.rfilename, size, hash))
            else:
                others.append(plain(sibling.rfilename, 100))
        card = found.card_data.to_dict() if found.card_data else {}
    if len(files) <= MAX_FILES:
        files = [
            file
            if file.size is not None and file.hash
            else _measured(Repository(repository.id, commit), file, endpoint, token)
            for file in files
        ]
    return Info(repository, commit, tuple(files), tuple(others), bool(found.private), card)


def _file(name: str, size: Any, hash: Any) -> File:
    known = isinstance(hash, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", hash, re.ASCII)
    return File(name, size if type(size) is int and size >= 0 else None, hash if known else "")


def _answer(path: str, params: dict[str, Any], token: str | bool | None) -> Any:
    """What the hub says to a GET, of bounded length; its errors are raised."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    with get_session().stream(
        "GET", path, params=params, headers=headers(token), timeout=timeout()
    ) as response:
        answer = bounded(response)
    hf_raise_for_status(answer)
    return answer


def _measured(
    repository: Repository, file: File, endpoint: str | None, token: str | bool | None
) -> File:
    """A file that a list named without size or hash, as its own address tells of it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    where = address(endpoint)
    url = hf_hub_url(repository.id, file.name, revision=repository.revision, endpoint=where)
    with asking(str(repository), endpoint, token):
        try:
            found = _soon(
                lambda: get_hf_file_metadata(url, token=token, timeout=ANSWER, endpoint=where),
                str(repository),
                where,
            )
        except Exception:  # a mirror that tells nothing here either; reading it is bounded
            return file
    size = found.size if file.size is None else file.size
    return _file(file.name, size, file.hash or found.etag)


def headers(token: str | bool | None) -> dict[str, str]:
    """Those of a request to the hub: who asks, and by whose right."""
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers(token=token, library_name="ganzoo", library_version=version())


@dataclass(frozen=True)
class Listed:
    """A repository in a list of the hub."""

    id: str
    pipeline: str
    downloads: int
    changed: str


def listed(
    author: str | None, search: str | None, *, endpoint: str | None, token: str | bool | None
) -> list[Listed]:
    """ganzoo's models on the hub, at most 200; those of an author, those with a word in the name.

    Raises:
        HubError: as `info`.
    """
    where = f"the models of {author}" if author else "a list of models"
    with asking(where, endpoint, token) as api:
        # the client lists with many retries, and so is asked once somebody is known to be there
        path = f"{address(endpoint)}/api/models"
        _soon(lambda: _answer(path, {"limit": 1}, token), where, address(endpoint))
        found = _soon(
            lambda: list(api.list_models(filter="ganzoo", author=author, search=search, limit=200)),
            where,
            address(endpoint),
        )
        return [
            Listed(
                plain(one.id, 200),
                plain(one.pipeline_tag or "", 60),
                one.downloads or 0,
                f"{one.last_modified:%Y-%m-%d}" if one.last_modified else "",
            )
            for one in found
        ]


def timeout() -> Any:
    """How long one step of a request may take."""
    import httpx2

    return httpx2.Timeout(ANSWER, connect=CONNECT)


def _soon(call: Callable[[], T], what: str, endpoint: str) -> T:
    """The result of a call that may hang: in names that do not resolve, in retries, anywhere."""
    done: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            done.append((True, call()))
        except BaseException as error:
            done.append((False, error))

    thread = threading.Thread(target=work, daemon=True)  # it must not hold up the exit
    thread.start()
    thread.join(PATIENCE)
    if not done:
        raise unreachable(what, endpoint, f"no answer within {PATIENCE:.0f} seconds")
    fine, value = done[0]
    if not fine:
        raise value
    return value
