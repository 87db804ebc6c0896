"""From the hub into its cache: only files that ganzoo knows, verified before anything is read."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from ganzoo.atomic import write_text
from ganzoo.errors import IntegrityError, StoreError, plain
from ganzoo.hub import local, remote
from ganzoo.hub.download import Patience, download
from ganzoo.hub.names import Repository
from ganzoo.hub.remote import File, Info
from ganzoo.layout import CONFIG, WEIGHTS


def pull(
    repository: Repository,
    *,
    endpoint: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Bring a model into the hub's cache, or update it there; returns its folder.

    Only config.json, the weights, card, figures and pictures of a repository are fetched. Each file
    is compared with the hub's record, and the weights with config.json, too; a damaged one is
    fetched once more, then refused. The revision counts as cached only once everything is there and
    right.

    Raises:
        HubError: the hub does not deliver it.
        IntegrityError: a file differs from what the hub or config.json names.
        StoreError: it has no ganzoo model, or one of absurd size.
    """
    remote.say(f"asking {remote.scrubbed(remote.address(endpoint))} for {repository}")
    info = remote.info(repository, endpoint=endpoint, token=token)
    check_listing(info)
    cache = local.cache_of(endpoint, cache_dir)
    files = {file.name: file for file in info.files}
    missing = [file for file in info.files if _differs(_place(repository, info, file, cache), file)]
    if missing:
        size = sum(file.size or 0 for file in missing) / 1e6
        remote.say(f"fetching {len(missing)} files of {repository}, {size:.1f} MB")
    source = _Source(repository, info, endpoint, token, cache)
    config = source.fetched(files.pop(CONFIG))
    _check_named(config, files[WEIGHTS], repository)
    for file in files.values():
        source.fetched(file)
    if not repository.pinned:
        home = cache / f"models--{repository.id.replace('/', '--')}"
        write_text(home / "refs" / repository.revision, info.commit)
    return config.parent


def check_listing(info: Info) -> None:
    """StoreError unless the listing of a repository is that of a ganzoo model."""
    files = {file.name: file for file in info.files}
    for name in (CONFIG, WEIGHTS):
        if name not in files:
            raise StoreError(
                f"{info.repository} holds no model of ganzoo: there is no {name}; "
                "`ganzoo hub list --remote` names some that do"
            )
    if len(files) > remote.MAX_FILES:
        raise StoreError(f"{info.repository} holds {len(files)} files; {remote.MAX_FILES} at most")
    for file in info.files:
        if file.size is not None and file.size > file.most:
            raise StoreError(
                f"{info.repository}: {file.name} has {file.size:,} bytes; at most {file.most:,} "
                "are read"
            )


def _place(repository: Repository, info: Info, file: File, cache: Path) -> Path:
    home = cache / f"models--{repository.id.replace('/', '--')}"
    return home / "snapshots" / info.commit / file.name


class _Source:
    """A repository at a commit, from which files are fetched into the cache."""

    def __init__(
        self,
        repository: Repository,
        info: Info,
        endpoint: str | None,
        token: str | bool | None,
        cache: Path,
    ) -> None:
        self.repository, self.info, self.cache = repository, info, cache
        self.endpoint, self.token = endpoint, token
        where = remote.scrubbed(remote.address(endpoint))
        self.patience = Patience(where, str(repository), remote.say)

    def fetched(self, file: File) -> Path:
        """One file in the cache, as in the hub's record.

        It has the place where huggingface_hub looks for it: in the blobs, with a link in the
            snapshot.
        """
        path = _place(self.repository, self.info, file, self.cache)
        if not _differs(path, file):
            return path
        problem = ""
        for again in (False, True):
            if again:
                remote.say(
                    f"{file.name} of {self.repository} arrived damaged; fetching it once more"
                )
            with remote.asking(str(self.repository), self.endpoint, self.token):
                try:
                    arrived = self._downloaded(file, path.parents[2] / "blobs")
                except IntegrityError as error:
                    problem = str(error)
                    continue
                problem = differs(arrived, file)
                if not problem:
                    return _kept(arrived, path, file)
                arrived.unlink(missing_ok=True)
        # the next reader must not find the old file
        path.unlink(missing_ok=True)
        raise IntegrityError(
            f"{file.name} of {self.repository} is not what the hub's record says: {problem}. It "
            "was fetched twice and is refused; try another network, or tell the owner of the "
            "repository"
        )

    def _downloaded(self, file: File, folder: Path) -> Path:
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(
            self.repository.id,
            file.name,
            revision=self.info.commit,
            endpoint=remote.address(self.endpoint),
        )
        return download(
            url,
            folder,
            size=file.size,
            most=file.most,
            headers=remote.headers(self.token),
            timeout=remote.timeout(),
            patience=self.patience,
        )


def _kept(arrived: Path, path: Path, file: File) -> Path:
    """Move the downloaded file to its place."""
    blob = arrived.with_name(file.hash or sha256(arrived))
    arrived.chmod(0o644)
    arrived.replace(blob)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(Path("..", "..", "blobs", blob.name))
    except OSError:  # a file system without links
        blob.replace(path)
    return path


def _differs(path: Path, file: File) -> str:
    """As `differs`; a missing file differs, too."""
    return differs(path, file) if path.is_file() else "it is not there"


def differs(path: Path, file: File) -> str:
    """How a file differs from the hub's record; empty if it does not."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"{size:,} bytes, and not {file.size:,}"
    if not file.hash:
        return ""
    found = sha256(path) if len(file.hash) == 64 else git_sha1(path)
    return "" if found == file.hash else f"hash {found[:12]}..., and not {plain(file.hash, 12)}..."


def sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def git_sha1(path: Path) -> str:
    """The hash that git gives the content of a file."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _check_named(config: Path, weights: File, repository: Repository) -> None:
    """IntegrityError if config.json names other weights than those beside it."""
    named = local.read_json(config).get("weights")
    sha256 = named.get("sha256") if isinstance(named, dict) else None
    if not isinstance(sha256, str):
        raise StoreError(f"{CONFIG} of {repository} does not name the sha256 of its weights")
    if len(weights.hash) == 64 and sha256 != weights.hash:
        raise IntegrityError(
            f"{CONFIG} of {repository} names weights {plain(sha256, 12)}..., and the hub holds "
            f"{weights.hash[:12]}...: an upload that was left half done. Nothing was fetched; tell "
            "its owner, or give an earlier revision"
        )


def at(repository: Repository, commit: str) -> Repository:
    """The same repository, pinned."""
    return replace(repository, revision=commit)
