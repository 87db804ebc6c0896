"""Publishing: one commit that holds what the folder holds, and no harm to what was there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzoo
from ganzoo import hub
from ganzoo.errors import (
    AccessError,
    HubError,
    IntegrityError,
    MovedError,
    NotFoundError,
    StoreError,
    TaskError,
    UnknownNameError,
)
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.publish import push
from tests.builders import model_of
from tests.hub_models import ROOT, WRITER, closed_port, contents, drawn, get, python
from tests.hub_server import HubServer

# how huggingface_hub hands its HTTP client a file; its own matter
pytestmark = [
    pytest.mark.usefixtures("hub_home"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


# ----------------------------------------------------------------------------------- pushing


def test_a_folder_with_all_that_goes_with_it(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hub.installed()["dcgan-mnist"]
    done = push.push(folder, "org/dcgan", endpoint=server.url, token=WRITER)
    sent = server.repos["org/dcgan"].commits[done.commit]
    sent.pop(".gitattributes")
    assert sent == contents(folder)
    # as published, and nothing to do
    again = push.push(folder, "org/dcgan", endpoint=server.url, token=WRITER)
    assert again.unchanged and again.commit == done.commit
    fetched = hub.resolve("org/dcgan", endpoint=server.url)
    assert contents(fetched) == sent


def test_a_commit_replaces_what_is_there_and_leaves_other_files(
    server: HubServer, folder: Path
) -> None:
    server.add("me/tiny", {**contents(folder), "samples.png": b"old", "notes.txt": b"mine"})
    other = store.save(model_of("gan"), folder.parent / "other")
    (other / "losses.png").write_bytes(b"new")
    (other / "secret.pkl").write_bytes(b"not for anybody")
    done = push.push(other, "me/tiny", endpoint=server.url, token=WRITER)
    repo = server.repos["me/tiny"]
    assert set(repo.commits[done.commit]) == {
        ".gitattributes", "notes.txt", "config.json", "model.safetensors", "README.md",
        "losses.png",
    }  # fmt: skip
    assert len(repo.commits) == 3


def test_a_card_that_somebody_wrote_stays(
    server: HubServer, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs = {"README.md": b"by hand", "samples.png": b"shown there", "metrics.json": b"{}"}
    server.add("me/tiny", {**contents(folder), **theirs})
    model = model_of("gan")
    done = model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    sent = server.repos["me/tiny"].commits[done.commit]
    assert sent["README.md"] == b"by hand" and "samples.png" in sent
    assert "metrics.json" not in sent  # figures of other weights
    assert "README.md stays as it is there" in capfd.readouterr().err
    made = store.save(model, folder.parent / "own")
    (made / "README.md").write_text("---\nlibrary_name: ganzoo\n---\nmine")
    done = push.push(made, "me/tiny", endpoint=server.url, token=WRITER)
    sent = server.repos["me/tiny"].commits[done.commit]
    assert sent["README.md"].endswith(b"mine") and "samples.png" not in sent


def test_refused_where_somebody_was_faster(server: HubServer, folder: Path) -> None:
    repo = server.add("me/tiny", contents(folder))
    looked_at = repo.refs["main"]
    theirs: list[str] = []

    def meanwhile(repo: Any) -> None:
        theirs.append(repo.commit({**repo.commits[looked_at], "notes.txt": b"theirs"}))

    server.before_commit = meanwhile
    other = store.save(model_of("gan"), folder.parent / "other")
    with pytest.raises(MovedError, match="ganzoo hub pull me/tiny"):
        push.push(other, "me/tiny", endpoint=server.url, token=WRITER)
    assert repo.refs["main"] == theirs[0]
    server.before_commit = None
    with pytest.raises(MovedError, match=f"based on {looked_at[:12]}"):
        push.push(other, "me/tiny", endpoint=server.url, token=WRITER, parent=looked_at)
    push.push(other, "me/tiny", endpoint=server.url, token=WRITER, parent=theirs[0])


def test_branches_and_pull_requests(server: HubServer, folder: Path) -> None:
    repo = server.add("them/tiny", contents(folder))
    before = repo.refs["main"]
    model = model_of("gan")
    asked = {"endpoint": server.url, "token": WRITER}
    done = model.push_to_hub("them/tiny", create_pr=True, **asked)
    assert done.pull_request == f"{server.url}/them/tiny/discussions/1"
    assert repo.refs == {"main": before, "refs/pr/1": done.commit}
    proposed = get(server, "them/tiny@refs/pr/1")
    assert np.array_equal(drawn(proposed), drawn(model))
    with pytest.raises(AccessError, match="hf auth login"):
        model.push_to_hub("them/tiny", **asked)
    with pytest.raises(NotFoundError):  # nobody proposes to what is not there
        model.push_to_hub("them/other", create_pr=True, **asked)
    with pytest.raises(TaskError, match="to main"):
        model.push_to_hub("them/tiny", create_pr=True, revision="dev", **asked)
    server.add("me/tiny", contents(folder))
    done = model.push_to_hub("me/tiny", revision="dev", **asked)
    refs = server.repos["me/tiny"].refs
    assert refs["dev"] == done.commit != refs["main"]
    with pytest.raises(UnknownNameError, match="give a branch"):
        model.push_to_hub("me/tiny", revision=done.commit, **asked)


def test_what_holds_something_else_is_not_written_over(server: HubServer) -> None:
    server.add("me/bert", {"pytorch_model.bin": b"x", "README.md": b"BERT"})
    with pytest.raises(HubError, match=r"something else \(pytorch_model.bin\)"):
        model_of("gan").push_to_hub("me/bert", endpoint=server.url, token=WRITER)
    server.add("me/new", {"README.md": b"soon"})
    model_of("gan").push_to_hub("me/new", endpoint=server.url, token=WRITER)


def test_nothing_is_sent_of_a_model_that_does_not_come_back(
    server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store.load

    def forgetful(folder: Path, **options: Any) -> Model:
        model = kept(folder, **options)
        next(iter(model.networks["G"].parameters())).mul_(1.001)
        return model

    model = model_of("dcgan")
    monkeypatch.setattr(store, "load", forgetful)
    with pytest.raises(StoreError, match="answers otherwise, by"):
        model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    monkeypatch.setattr(store, "load", kept)
    next(iter(model.networks["G"].parameters())).fill_(float("nan"))
    with pytest.raises(StoreError, match="not finite"):
        model.push_to_hub("me/tiny", endpoint=server.url, token=WRITER)
    assert server.asked == []


def test_weights_keep_the_type_they_had(server: HubServer, tmp_path: Path) -> None:
    half = store.save(model_of("dcgan"), tmp_path / "half", dtype="float16")
    model = ganzoo.from_pretrained(half)
    done = model.push_to_hub("me/half", endpoint=server.url, token=WRITER)
    sent = server.repos["me/half"].commits[done.commit]
    assert sent["model.safetensors"] == (half / "model.safetensors").read_bytes()


def test_a_dry_run_checks_all_and_asks_nobody(folder: Path) -> None:
    done = push.push(folder, "me/tiny", endpoint=closed_port(), dry_run=True)
    assert done.commit == "" and dict(done.files).keys() == {
        "README.md", "config.json", "model.safetensors"
    }  # fmt: skip
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(IntegrityError):
        push.push(folder, "me/tiny", endpoint=closed_port(), dry_run=True)
    with pytest.raises(UnknownNameError, match="write org/name"):
        push.push(folder, "tiny", dry_run=True)


def test_paths_of_this_machine_stay_here(server: HubServer, tmp_path: Path) -> None:
    name = "folder:/home/somebody/private/photos,size=16"
    folder = store.save(
        model_of("dcgan"), tmp_path / "m", name="mine", data={"name": name, "size": 9},
        command=f"ganzoo train dcgan --data {name}",
    )  # fmt: skip
    done = push.push(folder, "me/mine", endpoint=server.url, token=WRITER)
    sent = server.repos["me/mine"].commits[done.commit]
    assert not [name for name, content in sent.items() if b"somebody" in content]
    assert json.loads(sent["config.json"])["data"]["name"] == "folder:photos,size=16"
    assert b"somebody" in (folder / "config.json").read_bytes()


def test_the_whole_zoo_is_published_and_a_second_time_is_idle(
    server: HubServer, tmp_path: Path
) -> None:
    def publishing(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "scripts/publish.py", "org", "--endpoint", server.url, *words],
            capture_output=True, text=True, cwd=ROOT,
            env={**os.environ, "HF_TOKEN": WRITER, "HF_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert publishing().count("nothing sent") == len(hub.installed())
    assert server.asked == []
    publishing("--for-real")
    assert set(server.repos) == {f"org/{name}" for name in hub.installed()}
    commits = {id: repo.refs["main"] for id, repo in server.repos.items()}
    again = publishing("--for-real", "--only", "gan-mnist", "dcgan-mnist")
    assert again.count("there already") == 2
    assert commits == {id: repo.refs["main"] for id, repo in server.repos.items()}


def test_the_snippet_of_the_readme(server: HubServer, folder: Path, tmp_path: Path) -> None:
    """As a user without a word of configuration but the hub's own."""
    from tests.readme import block

    server.add("someone/their-gan", contents(folder))
    done = python(
        block("python", "push_to_hub"), HF_ENDPOINT=server.url, HF_TOKEN=WRITER,
        HF_HOME=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.repos["me/my-gan"].private
