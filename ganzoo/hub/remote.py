"""Requests to the hub through huggingface_hub, with a limit of a few seconds."""

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
"""Seconds to connect to the hub, to read from it, and for a first answer in total.

The last is needed, too: a name may stand for many addresses, each with its own timeout.
"""
PICTURES = ("png", "jpg", "jpeg", "gif", "webp")
_FETCHED = re.compile(
    rf"{re.escape(CONFIG)}|{re.escape(WEIGHTS)}|README\.md|LICENSE|metrics\.json|history\.json"
    rf"|[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}\.({'|'.join(PICTURES)})",
    re.ASCII,
)
MAX_SIZES = {CONFIG: MAX_CONFIG, WEIGHTS: 8_000_000_000}
MAX_SIZE, MAX_FILES = 20_000_000, 64
"""The most bytes of any other file, and the most such files."""


@dataclass(frozen=True)
class File:
    """A file as in the hub's record. `hash` is SHA-256, or git's SHA-1 of a blob.

    A mirror may give neither: then `size` is None, or `hash` empty.
    """

    name: str
    size: int | None
    hash: str

    @property
    def most(self) -> int:
        """The most bytes of it that are read."""
        return MAX_SIZES.get(self.name, MAX_SIZE)


@dataclass(frozen=True)
class Info:
    """A repository as the hub describes it: `files` are those that ganzoo fetches.

    `others` are names of files that are left alone; `card` is the head of README.md.
    """

    repository: Repository
    commit: str
    files: tuple[File, ...]
    others: tuple[str, ...]
    private: bool
    card: dict[str, Any]


def is_fetched(name: str) -> bool:
    """Whether ganzoo fetches or publishes a file of that name: no code, no pickles."""
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
    """A client for calls about `what`; errors inside are ganzoo's, and none is retried for long."""
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
    """The hub's record of a repository at its revision.

    Raises:
        HubError: or a subclass, within `PATIENCE` seconds.
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
    """The hub's response to a GET, of bounded length; errors are raised."""
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
    """A file that a list named without size or hash, from the headers of its own address."""
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
        except Exception:  # a mirror that says nothing here either; reading is bounded
            return file
    size = found.size if file.size is None else file.size
    return _file(file.name, size, file.hash or found.etag)


def headers(token: str | bool | None) -> dict[str, str]:
    """The headers of a request to the hub: user agent and authorization."""
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
    """ganzoo's models on the hub, at most 200; those of an author, or with a word in the name.

    Raises:
        HubError: as `info`.
    """
    where = f"the models of {author}" if author else "a list of models"
    with asking(where, endpoint, token) as api:
        # the client lists with many retries, so first make sure that the hub responds
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
    """The timeout for one step of a request."""
    import httpx2

    return httpx2.Timeout(ANSWER, connect=CONNECT)


def _soon(call: Callable[[], T], what: str, endpoint: str) -> T:
    """The result of a call that may hang: in name resolution, in retries, anywhere."""
    done: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            done.append((True, call()))
        except BaseException as error:
            done.append((False, error))

    thread = threading.Thread(target=work, daemon=True)  # it must not delay the exit
    thread.start()
    thread.join(PATIENCE)
    if not done:
        raise unreachable(what, endpoint, f"no answer within {PATIENCE:.0f} seconds")
    fine, value = done[0]
    if not fine:
        raise value
    return value
