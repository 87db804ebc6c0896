"""Models by name, over a real socket: huggingface_hub's own client against a small hub."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants, get_token

import ganzoo
from ganzoo import hub
from ganzoo.errors import (
    AccessError,
    GanzooError,
    MovedError,
    NotFoundError,
    StoreError,
    UnknownNameError,
    UnreachableError,
)
from ganzoo.hub import fetch, local, remote
from ganzoo.hub.errors import scrubbed, translated
from ganzoo.hub.names import Repository, repository
from ganzoo.models import store
from tests.builders import model_of, run
from tests.hub_models import READER, WRITER, closed_port, contents, drawn, get, head
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.usefixtures("hub_home"),
    # how huggingface_hub hands its HTTP client a file; its own matter
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]
# whoever is logged in as the tests begin; the fixture hub_home hides it from all but one
TOKEN = get_token() if "GANZOO_HUB_LIVE" in os.environ else None


# ------------------------------------------------------------------------------- there and back


def test_pushed_and_fetched_it_draws_the_same(
    server: HubServer, capfd: pytest.CaptureFixture[str]
) -> None:
    model = model_of("dcgan")
    done = model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER, private=True)
    repo = server.repos["me/tiny"]
    assert repo.private and done.commit == repo.refs["main"]
    assert done.url == f"{server.url}/me/tiny"
    # one commit on top of the one that the hub makes itself
    assert len(repo.commits) == 2
    sent = repo.commits[done.commit]
    assert set(sent) == {".gitattributes", "config.json", "model.safetensors", "README.md"}
    with pytest.raises(NotFoundError, match="or a private one"):
        get(server)
    capfd.readouterr()
    again = get(server, token=WRITER)
    assert np.array_equal(drawn(again), drawn(model))
    first, second = capfd.readouterr().err.splitlines()[:2]
    assert first == f"asking {server.url} for me/tiny"
    assert second.startswith("fetching 3 files of me/tiny, ")


def test_what_is_cached_is_used_without_the_network(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    first = drawn(get(server))
    server.asked.clear()
    assert np.array_equal(drawn(get(server)), first)
    assert np.array_equal(drawn(get(server, "hf://me/tiny", local_files_only=True)), first)
    assert server.asked == []
    with pytest.raises(UnreachableError, match="ganzoo hub pull me/other"):
        get(server, "me/other", local_files_only=True)
    assert server.asked == []


def test_caches_of_two_hubs_are_apart(server: HubServer, folder: Path) -> None:
    server.add("me/tiny", contents(folder))
    get(server)
    with HubServer() as other, pytest.raises(NotFoundError):
        get(other)


def test_revisions(server: HubServer, folder: Path, tmp_path: Path) -> None:
    repo = server.add("me/tiny", contents(folder))
    old = repo.refs["main"]
    other = store.save(model_of("gan"), tmp_path / "other", name="later")
    new = repo.commit({**repo.commits[old], **contents(other)})
    repo.refs["v1"] = old
    assert get(server).title == "later"
    assert get(server, "me/tiny@v1").title == get(server, revision="v1").title == "tiny"
    assert get(server, f"me/tiny@{old}").title == "tiny"
    with pytest.raises(NotFoundError, match="no such revision"):
        get(server, revision="v2")
    with pytest.raises(UnknownNameError, match="one revision, not two"):
        get(server, "me/tiny@v1", revision="v2")
    # a branch that moves is followed when one asks, and not before
    repo.commit(repo.commits[old])
    assert get(server).title == "later"
    folder = fetch.pull(Repository("me/tiny"), endpoint=server.url)
    assert folder.name == repo.refs["main"] != new
    assert get(server).title == "tiny"


def test_only_what_a_model_needs_is_fetched(server: HubServer, folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.abort, ())

    trap = pickle.dumps(Trap())
    files = {
        **contents(folder), "pytorch_model.bin": trap, "model.pkl": trap, "model.pt": trap,
        "modeling.py": b"raise SystemExit", "__init__.py": b"", "setup.sh": b"exit",
        "samples.png": b"picture", "sub/config.json": b"{}", "sub/x.png": b"", "a b.png": b"",
        "other.safetensors": b"x" * 100, ".hidden.png": b"", "metrics.json": b"{}",
    }  # fmt: skip
    server.add("me/tiny", files)
    assert np.array_equal(drawn(get(server)), drawn(model_of("dcgan")))
    wanted = {"config.json", "model.safetensors", "samples.png", "metrics.json"}
    assert set(server.downloads) == wanted
    cache = local.cache_of(server.url, None)
    assert {p.name for p in cache.rglob("snapshots/*/**/*") if p.is_file()} == wanted


def test_a_repository_of_something_else(server: HubServer) -> None:
    server.add("me/bert", {"config.json": b'{"model_type": "bert"}', "pytorch_model.bin": b"x"})
    with pytest.raises(StoreError, match=r"no model of ganzoo: there is no model\.safetensors"):
        get(server, "me/bert")
    server.add("me/other", {"config.json": b'{"a": 1}', "model.safetensors": b"x"})
    with pytest.raises(StoreError, match="is not a config of ganzoo"):
        get(server, "me/other")
    assert "model.safetensors" not in server.downloads


def test_files_of_absurd_size_are_not_fetched(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", {**contents(folder), "README.md": b"x" * 2000})
    monkeypatch.setattr(remote, "MAX_SIZE", 1000)
    with pytest.raises(StoreError, match=r"README\.md has 2,000 bytes; at most 1,000"):
        get(server)
    assert server.downloads == []
    many = {f"{number}.png": b"" for number in range(80)}
    server.add("me/many", {**contents(folder), **many})
    with pytest.raises(StoreError, match="82 files; 64 at most"):
        get(server, "me/many")


# ---------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name, found",
    [
        ("me/tiny", Repository("me/tiny")),
        ("me/tiny@v1.0", Repository("me/tiny", "v1.0")),
        ("me/tiny@refs/pr/1", Repository("me/tiny", "refs/pr/1")),
        ("hf://me/tiny", Repository("me/tiny")),
        ("hf://models/me/tiny@dev", Repository("me/tiny", "dev")),
        *[
            (name, None)
            for name in ("tiny", "a/b/c", "./tiny", "/me/tiny", "../tiny", "me/", "me/..", "~/x",
                         "me\\tiny", "me/ti ny", "me/tiny\n", "me//tiny", "", "m--e/tiny")
        ],
    ],
)  # fmt: skip
def test_what_names_mean(name: str, found: Repository | None) -> None:
    assert repository(name) == found


@pytest.mark.parametrize(
    "name", ["me/tiny@", "me/tiny@../../x", "me/tiny@-x", "me/tiny@a b", "hf://tiny", "me/t@a@b"]
)
def test_names_that_no_repository_has(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"names no repository|is not a revision"):
        repository(name)


def test_a_bare_name_is_never_taken_for_a_repository(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me/tiny", contents(folder))
    get(server, cache_dir=constants.HF_HUB_CACHE)
    server.asked.clear()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    with pytest.raises(UnknownNameError, match=r"did you mean 'me/tiny'\? here: .*org/name"):
        ganzoo.from_pretrained("tiny")
    with pytest.raises(UnknownNameError, match="did you mean 'dcgan-mnist'"):
        ganzoo.from_pretrained("dcgan-mnits")
    assert server.asked == []


def test_a_folder_comes_before_a_repository_of_that_name(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent.parent)
    assert get(server, "made/tiny").title == "tiny"
    assert server.asked == []
    with pytest.raises(UnknownNameError, match="has no revision 'v1'"):
        get(server, "made/tiny", revision="v1")
    # next to folders of people's own a name is more likely mistyped than on the hub
    with pytest.raises(UnknownNameError, match=r"did you mean 'made/tiny'\? .* hf://made/tinny"):
        get(server, "made/tinny", token=READER)
    assert server.asked == []
    for name in ("hf://made/tinny", "made/tinny@main"):
        with pytest.raises(NotFoundError, match="no folder of that name"):
            get(server, name, token=READER)


# ------------------------------------------------------------------------------------ errors


def test_no_error_of_the_client_comes_out(server: HubServer, folder: Path) -> None:
    """Each of huggingface_hub's, and each of its HTTP client's, in ganzoo's words."""
    import httpx2
    from huggingface_hub import errors as theirs

    request = httpx2.Request("GET", f"{server.url}/me/tiny")
    raised: list[Exception] = []
    for status in (400, 401, 403, 404, 409, 412, 413, 429, 500, 503):
        response = httpx2.Response(status, request=request)
        raised.append(theirs.HfHubHTTPError(f"{status} hf_secretsecret", response=response))
        raised.append(httpx2.HTTPStatusError("no", request=request, response=response))
    response = httpx2.Response(404, request=request)
    for module in (theirs, httpx2):
        for kind in vars(module).values():
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                continue
            if issubclass(kind, theirs.HfHubHTTPError):
                raised.append(kind("hf_secretsecret", response=response))
            elif not issubclass(kind, httpx2.HTTPStatusError):
                try:
                    raised.append(kind("hf_secretsecret"))
                except TypeError:
                    raised.append(kind.__new__(kind))
    assert len(raised) > 80
    for error in raised:
        with pytest.raises(GanzooError) as caught, translated("me/tiny", server.url, "topsecret"):
            raise error
        assert "secretsecret" not in str(caught.value), error
        assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_refusals_say_what_to_do_next(server: HubServer) -> None:
    model = model_of("gan")
    with pytest.raises(AccessError, match="log in with `hf auth login`, set HF_TOKEN"):
        model.push_to_hub("me/tiny", endpoint=server.url)
    with pytest.raises(AccessError, match="rights to create"):
        model.push_to_hub("them/tiny", endpoint=server.url, token=WRITER)
    with pytest.raises(NotFoundError, match="ganzoo hub list --remote"):
        get(server, "me/nothing", token=READER)
    with pytest.raises(AccessError, match="Invalid credentials"):
        get(server, "me/nothing", token="hf_wrongwrong")
    assert server.repos == {}


def test_tokens_are_neither_shown_nor_kept(
    server: HubServer, folder: Path, hub_home: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", WRITER)
    assert run(monkeypatch, "hub", "push", folder, "me/tiny", "--endpoint", server.url) == 0
    assert run(monkeypatch, "hub", "push", folder, "them/tiny", "--endpoint", server.url) == 2
    assert run(monkeypatch, "hub", "pull", "me/tiny", "--endpoint", server.url) == 0
    secret = closed_port().replace("http://", "http://somebody:password@")
    assert run(monkeypatch, "hub", "pull", "me/none", "--endpoint", secret) == 2
    shown = "".join(capfd.readouterr())
    assert WRITER not in shown and "password" not in shown and "***" in shown
    assert {one.token for one in server.asked if not one.path.startswith("/lfs/")} == {WRITER}
    kept = [path for path in (*hub_home.rglob("*"), *folder.parent.rglob("*")) if path.is_file()]
    assert kept and not [path for path in kept if WRITER.encode() in path.read_bytes()]
    assert scrubbed("hf_abcdefgh and https://me:pw@host/x") == "*** and https://***host/x"


# -------------------------------------------------------------------------- the command line


def test_the_commands(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    there = ("--endpoint", server.url)
    monkeypatch.setenv("HF_TOKEN", WRITER)

    def said(*words: object, code: int = 0) -> str:
        assert run(monkeypatch, "hub", *words) == code
        found = capsys.readouterr()
        return found.out + found.err

    assert "nothing was uploaded" in said("push", folder, "me/tiny", "--dry-run", *there)
    assert server.repos == {}
    text = said("push", folder, "me/tiny", *there)
    commit = server.repos["me/tiny"].refs["main"]
    assert f"published: {server.url}/me/tiny" in text and f"commit: {commit}" in text
    assert "already up to date" in said("push", folder, "me/tiny", *there)
    other = store.save(model_of("gan"), folder.parent / "other")
    assert "proposed: " in said("push", other, "me/tiny", "--create-pr", *there)
    said("push", other, "me/licensed", "--licence", "mit", *there)
    sent = server.repos["me/licensed"].commits[server.repos["me/licensed"].refs["main"]]
    assert head(sent["README.md"].decode())["license"] == "mit"
    server.add("me/new", contents(folder))
    for number in range(3):
        server.add(f"them/gan-{number}", server.repos["me/tiny"].commits[commit])
    server.add("them/bert", {"README.md": b"---\ntags: [bert]\n---\n"})
    listed = said("list", "--remote", *there)
    assert all(f"them/gan-{number}" in listed for number in range(3))
    assert "me/tiny" in listed and "bert" not in listed
    assert "me/tiny" not in said("list", "--author", "them", *there)
    assert "me/tiny" not in said("list", *there)
    assert "dcgan-mnist" in said("list", *there)
    text = said("info", "me/tiny", *there)
    assert commit in text and "model.safetensors" in text and server.downloads == []
    assert "neither installed nor cached" in said("info", "me/tiny", "--offline", *there, code=2)
    assert "neither installed nor cached" in said("path", "me/tiny", "--offline", *there, code=2)
    assert commit[:12] in said("pull", "me/tiny", *there)
    assert f"cached at {commit[:12]}" in said("list", *there)
    path = said("path", "me/tiny", "--offline", *there).strip()
    assert (Path(path) / "config.json").is_file()
    assert "matches config.json" in said("verify", "me/tiny", "--no-figures", *there)
    assert "is an installed model" in said("pull", "dcgan-mnist", *there, code=2)
    text = said("info", "dcgan-mnist")
    assert "fid" in text and str(hub.installed()["dcgan-mnist"]) in text
    for command in ("info", "pull", "path", "verify"):
        assert "no repository me/none" in said(command, "me/none", *there, code=2)


def test_a_stranger_cannot_paint_the_terminal(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    config["spec"]["title"] = "\x1b[31m[bold]red[/]\x07"
    files = {**contents(folder), "config.json": json.dumps(config).encode()}
    server.add("me/tiny", files)
    fetch.pull(Repository("me/tiny"), endpoint=server.url)
    capsys.readouterr()
    assert run(monkeypatch, "hub", "list", "--endpoint", server.url) == 0
    assert run(monkeypatch, "hub", "info", "me/tiny", "--endpoint", server.url) == 0
    shown = capsys.readouterr().out
    assert "[bold]red[/]" in shown and not {"\x1b", "\x07"} & set(shown)


# ----------------------------------------------------------------------------- the real hub


@pytest.mark.skipif("GANZOO_HUB_LIVE" not in os.environ, reason="GANZOO_HUB_LIVE is not set")
def test_there_and_back_on_the_real_hub(tmp_path: Path) -> None:
    """For who is logged in: a private repository, made, fetched, changed and deleted again."""
    from huggingface_hub import HfApi

    api = HfApi(token=TOKEN)
    owner = api.whoami()["name"]
    name = f"{owner}/ganzoo-test-{hashlib.sha256(os.urandom(8)).hexdigest()[:8]}"
    model = model_of("dcgan")
    try:
        done = model.push_to_hub(name, private=True, token=TOKEN)
        pinned = ganzoo.from_pretrained(
            name, revision=done.commit, token=TOKEN, cache_dir=tmp_path / "cache"
        )
        assert np.array_equal(drawn(pinned), drawn(model))
        other = model_of("gan")
        later = other.push_to_hub(name, token=TOKEN, parent=done.commit)
        assert later.commit != done.commit
        with pytest.raises(MovedError):
            model.push_to_hub(name, token=TOKEN, parent=done.commit)
        newest = ganzoo.from_pretrained(name, token=TOKEN, cache_dir=tmp_path / "cache")
        assert np.array_equal(drawn(newest), drawn(other))
    finally:
        api.delete_repo(name, missing_ok=True)
