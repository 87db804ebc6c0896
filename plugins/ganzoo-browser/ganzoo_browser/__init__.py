"""ONNX Runtime for browsers, as files that ganzoo writes into pages."""

from __future__ import annotations

from pathlib import Path

PACKAGE = "onnxruntime-web@1.30.0"
CODE, WASM = "ort.mjs", "ort.wasm.gz"
FILES = {
    CODE: (
        "package/dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    WASM: (
        "package/dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}
"""The path of each file in the npm package, and the sha256 of its content."""
HERE = Path(__file__).parent / "runtime"


class RuntimeMissingError(RuntimeError):
    """The runtime is missing and cannot be fetched."""


def runtime() -> tuple[bytes, bytes]:
    """The JavaScript module and the WebAssembly that it loads, gzipped.

    Raises:
        RuntimeMissingError: they are missing, as in a checkout before they are fetched.
    """
    try:
        return (HERE / CODE).read_bytes(), (HERE / WASM).read_bytes()
    except FileNotFoundError:
        raise RuntimeMissingError(
            "onnxruntime-web is not in this checkout yet; fetch it once: python -m ganzoo_browser"
        ) from None


def fetch(folder: Path = HERE) -> Path:
    """Fetch the files of the npm package into a folder; if it fails, the folder is unchanged.

    Raises:
        RuntimeMissingError: npm is missing or fails, or the files are not the known ones.
    """
    import gzip
    import hashlib
    import shutil
    import subprocess
    import tarfile
    import tempfile

    if (folder / WASM).is_file() and (folder / CODE).is_file():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeMissingError(f"npm, which fetches {PACKAGE}, is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".runtime-") as place:
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        packed = next(Path(place).glob("*.tgz"), None)
        if done.returncode or packed is None:
            raise RuntimeMissingError(f"npm pack {PACKAGE} failed: {done.stderr.strip()[-300:]}")
        with tarfile.open(packed) as archive:
            for name, (member, sha256) in FILES.items():
                file = archive.extractfile(member)
                content = file.read() if file else b""
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise RuntimeMissingError(f"{member} of {PACKAGE} has an unexpected hash")
                packed_up = gzip.compress(content, 9, mtime=0) if name == WASM else content
                (Path(place) / name).write_bytes(packed_up)
        folder.mkdir(exist_ok=True)
        for name in FILES:
            (Path(place) / name).replace(folder / name)
    return folder
