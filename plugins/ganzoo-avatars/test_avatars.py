"""The portraits: the designers' own, the same for ever, as they are said to be, and held apart."""

import json
import os
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzoo
import ganzoo_avatars
from ganzoo import GanzooError
from ganzoo.data import find
from ganzoo.plugins.host import default
from ganzoo_avatars import DRAWINGS, Portraits, caption, draw, free_sentences, held_out
from ganzoo_avatars.captions import ALWAYS, NOT_SAID, PHRASINGS, SAYABLE, SOMETIMES, VALUES
from ganzoo_avatars.layers import CHUNK, composite, style
from ganzoo_avatars.loading import belongs
from ganzoo_avatars.portrait import PARTS, part_of
from ganzoo_avatars.sets import CAPTIONS, COLLECTIONS, EXAMPLES, SENTENCES, SPLITS

HERE = Path(__file__).parent
PAIRED = ("hair_colour", "beard", "glasses")
"""What pairs may differ in."""


@pytest.fixture
def small(monkeypatch) -> None:
    """The first few of every data set; what is drawn does not depend on how many there are."""
    for collection in COLLECTIONS.values():
        for split in SPLITS:
            monkeypatch.setitem(collection.sizes, split, 40)  # type: ignore[arg-type]
    for split in SPLITS:
        monkeypatch.setitem(SENTENCES, split, 30)


def codes(some: Portraits, without: tuple[str, ...] = ()) -> set[tuple[int, ...]]:
    """What each portrait is, as numbers, but for some attributes."""
    kept = [values for name, values in some.attributes.items() if name not in without]
    kept += [values for name, values in some.chosen.items() if name not in without]
    return set(map(tuple, np.column_stack(kept).tolist()))


# ---------------------------------------------------------------------------- compositing


@pytest.mark.parametrize("name", DRAWINGS)
def test_portraits_are_those_of_the_reference(data_root: Path, name: str) -> None:
    """64 portraits of the style's own parts and colours, byte for byte."""
    if not (data_root / "avatars").is_dir():
        pytest.skip("no reference portraits at hand")
    stored = np.load(data_root / "avatars" / "reference.npz")
    specs = json.loads(bytes(stored["specs_json"]))[name]
    slots = {layer.slot for layer in style(name).layers.values() if layer.slot} | {"background"}

    def given(slot: str) -> tuple[list[str], np.ndarray]:
        values = sorted({spec.get(slot) or "" for spec in specs})
        return values, np.array([values.index(spec.get(slot) or "") for spec in specs])

    colours = {}
    for slot in slots:
        values, which = given(slot)
        colours[slot] = ([tuple(bytes.fromhex(value)) for value in values], which)
    made = composite(name, {group: given(group) for group in style(name).order}, colours)
    expected = stored[f"{name.replace('-', '_')}_composite"].transpose(0, 3, 1, 2)
    assert len(made) == 64
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("toon-head", "38b66b5961d93411"),
        ("adventurer", "8cd13d9a8fa7d72c"),
        ("pixel-art", "ad16a5f21000f601"),
    ],
)
def test_a_portrait_is_the_same_everywhere_and_for_ever(name: str, digest: str) -> None:
    some = draw(np.array([0, 1, 2, 3, 10**12]), seed=5, style=name)
    assert sha256(some.pixels().tobytes()).hexdigest()[:16] == digest


def test_a_portrait_does_not_depend_on_its_company() -> None:
    many = draw(np.arange(3 * CHUNK + 5), keep=belongs("test"))
    alone = draw(np.array([CHUNK + 3]), keep=belongs("test"))
    assert many.words(CHUNK + 3) == alone.words(0)
    np.testing.assert_array_equal(many.pixels()[CHUNK + 3], alone.pixels()[0])
    other = draw(np.array([CHUNK + 3]), seed=1)
    assert codes(other) != codes(draw(np.array([CHUNK + 3])))


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_value_of_every_attribute_can_be_seen(name: str) -> None:
    """Any two values differ in at least eight pixels, or of 16x16 in four, by more than 16."""
    some = draw(np.arange(100), style=name)
    least = 4 if style(name).side == 16 else 8
    for attribute, declared in DRAWINGS[name].attributes.items():
        drawn = [some.changed(**{attribute: v}).pixels().astype(int) for v in declared.names]
        for one, other in combinations(range(len(drawn)), 2):
            moved = (abs(drawn[one] - drawn[other]).max(1) > 16).sum((1, 2))
            assert moved.min() >= least, (attribute, declared.names[one], declared.names[other])


@pytest.mark.parametrize("name", DRAWINGS)
def test_values_come_as_often_as_they_should(name: str) -> None:
    some = draw(np.arange(20_000), style=name)
    for attribute, declared in DRAWINGS[name].attributes.items():
        counts = np.bincount(some.attributes[attribute], minlength=len(declared.values))
        weights = np.array(declared.weights or [1] * len(declared.values))
        np.testing.assert_allclose(counts / 20_000, weights / weights.sum(), atol=0.012)
    # and independently of each other
    first, second = some.attributes["hair"], some.attributes["background"]
    table = np.zeros((first.max() + 1, 6))
    np.add.at(table, (first, second), 1)
    np.testing.assert_allclose(table / table.sum(1, keepdims=True), 1 / 6, atol=0.03)


def test_sizes_are_multiples_and_whole_parts() -> None:
    some = draw(np.arange(3))
    full, half = some.pixels().astype(float), some.pixels(32)
    means = full.reshape(3, 3, 32, 2, 32, 2).mean((3, 5))
    np.testing.assert_array_equal(half, np.floor(means + 0.5))
    assert some.pixels(16).shape == (3, 3, 16, 16)
    np.testing.assert_array_equal(some.pixels(128)[:, :, ::2, 1::2], full)
    for side in (48, 65, 100, -1):
        with pytest.raises(GanzooError, match=f"64 pixels per side.*not {side}"):
            some.pixels(side)


def test_wishes_are_met() -> None:
    some = draw(np.arange(50), given={"hair_colour": "blond", "beard": np.arange(50) % 4 - 1})
    assert {some.words(row)["hair_colour"] for row in range(50)} == {"blond"}
    beards = some.attributes["beard"]
    asked = np.arange(50) % 4 - 1
    np.testing.assert_array_equal(beards[asked >= 0], asked[asked >= 0])
    assert len(set(beards[asked < 0])) > 1, "left to chance"
    # all else is what it would have been
    assert codes(some, ("hair_colour", "beard")) == codes(
        draw(np.arange(50)), ("hair_colour", "beard")
    )


def test_mistakes_are_named() -> None:
    with pytest.raises(GanzooError, match=r"no style 'toonhead'.*toon-head"):
        draw(np.arange(2), style="toonhead")
    with pytest.raises(GanzooError, match=r"no attribute 'hair_color'.*hair_colour"):
        draw(np.arange(2)).changed(hair_color="black")
    with pytest.raises(GanzooError, match=r"no value 'blonde'.*blond"):
        draw(np.arange(2), given={"hair_colour": "blonde"})
    with pytest.raises(GanzooError, match="number below 6 for each of 2"):
        draw(np.arange(2), given={"hair_colour": np.array([0, 6])})
    with pytest.raises(GanzooError, match="2 of 2 portraits"):
        draw(np.arange(2), keep=lambda some: np.zeros(len(some), bool))
    with pytest.raises(GanzooError, match=r"'avatar'.*avatars"):
        ganzoo_avatars.attributes("train", "avatar")
    with pytest.raises(GanzooError, match=r"no split 'val'.*validation"):
        ganzoo_avatars.attributes("val")


# ------------------------------------------------------------------------------- data sets


@pytest.mark.parametrize("name", COLLECTIONS)
def test_data_sets_hold_what_they_declare(small, name: str) -> None:
    collection = COLLECTIONS[name]
    for split in SPLITS:
        source = ganzoo.load_data(name, split)
        some = ganzoo_avatars.portraits(split, name)
        images = some.pixels(collection.side)
        known = ganzoo_avatars.attributes(split, name)
        labels = ganzoo_avatars.names(name)
        assert set(known) == set(labels)

        def pictures(field: str, source=source) -> np.ndarray:
            rows = source.batch(field, torch.arange(source.length(field)))
            return rows.add(1).mul(127.5).round().byte().numpy()

        if collection.pairs is not None:
            assert len(images) == 80
            np.testing.assert_array_equal(pictures("a"), images[::2])
            np.testing.assert_array_equal(pictures("b"), images[1::2])
            domains = [some.words(row)[collection.pairs.attribute] for row in range(80)]
            assert domains == [collection.pairs.a, collection.pairs.b] * 40
        together = collection.pairs is not None and collection.pairs.together
        for field in source.fields.fields:
            if field in known:
                numbers = source.batch(field, torch.arange(len(source))).numpy()
                truth = known[field][::2] if together else known[field]
                np.testing.assert_array_equal(numbers, truth)
                assert source.fields[field].names == labels[field]
        if not together:
            np.testing.assert_array_equal(pictures("image"), images)
            told = source.batch("label", torch.arange(len(source))).tolist()
            for row, number in enumerate(told):
                words = some.words(row)
                expected = " ".join(words[attribute] for attribute in collection.label)
                assert source.fields.label.names[number] == expected


def test_domains_are_values_of_a_field() -> None:
    declared = {one.name: one for one in ganzoo_avatars.ganzoo_data()}
    hair, beard = declared["avatars-hair"], declared["avatars-beard"]
    assert hair.domains == ganzoo.Domains("label", {"a": (0,), "b": (3,)})
    assert hair.fields.label.names[0] == "black" and hair.fields.label.names[3] == "blond"
    assert beard.domains == ganzoo.Domains("beard", {"a": (0,), "b": (2,)})
    # one classifier knows the attributes of all of one style
    for name in ("avatars-32", "avatars-hair", "avatars-beard"):
        for field, draw_ in declared["avatars"].fields.fields.items():
            if field != "image":
                assert declared[name].fields[field] == draw_
    small, large = (ganzoo_avatars.portraits("test", f"avatars-hair{end}") for end in ("-32", ""))
    assert small.words(5) == large.words(5)
    # without a label the classifier still knows the attribute
    paired = declared["avatars-hair-paired"]
    assert paired.domains == ganzoo.Domains("hair_colour", {"a": (0,), "b": (3,)})
    assert sum(one.domains is not None for one in declared.values()) == 5


def test_the_sizes_that_are_declared() -> None:
    declared = {one.name: one for one in ganzoo_avatars.ganzoo_data()}
    sizes = {name: one.size for name, one in declared.items()}
    assert sizes == {
        "avatars": 50_000,
        "avatars-32": 50_000,
        "avatars-looks": 50_000,
        "avatars-adventurer": 50_000,
        "avatars-pixel": 50_000,
        "avatars-hair": 20_000,
        "avatars-hair-paired": 10_000,
        "avatars-hair-32": 20_000,
        "avatars-hair-paired-32": 10_000,
        "avatars-beard": 20_000,
        "avatars-captions": 40_000,
        "avatars-sentences": 0,
    }
    for name, collection in COLLECTIONS.items():
        assert len(ganzoo_avatars.portraits("validation", name)) in (5_000, 2_000)
        assert declared[name].splits == tuple(collection.sizes) == SPLITS


@pytest.mark.parametrize("name", [*COLLECTIONS, CAPTIONS])
def test_no_portrait_nor_its_partner_is_in_two_splits(name: str) -> None:
    splits = {
        split: codes(ganzoo_avatars.portraits(split, name).take(slice(None, 4_000)), PAIRED)
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert not splits[one] & splits[other]


def test_the_parts_are_of_their_sizes() -> None:
    counts = np.bincount(part_of(draw(np.arange(20_000))), minlength=4) / 20_000
    np.testing.assert_allclose(counts, [0.2, 0.1, 0.35, 0.35], atol=0.01)
    assert PARTS == ("test", "validation", "a", "b")
    some = draw(np.arange(300))
    for values in ({"hair_colour": "pink"}, {"beard": "long beard"}):
        np.testing.assert_array_equal(part_of(some), part_of(some.changed(**values)))


@pytest.mark.parametrize("name", [name for name, one in COLLECTIONS.items() if one.pairs])
def test_partners_differ_in_one_attribute_alone(name: str) -> None:
    collection = COLLECTIONS[name]
    assert collection.pairs is not None
    changed = collection.pairs.attribute

    def halves(split: str) -> list[Portraits]:
        some = ganzoo_avatars.portraits(split, name)
        return [some.take(slice(None, None, 2)), some.take(slice(1, None, 2))]

    a, b = halves("test")
    assert len(a) == len(b) == 2_000
    for attribute, values in a.attributes.items():
        assert (values == b.attributes[attribute]).all() == (attribute != changed)
    a, b = halves("train")
    same = bool(codes(a, PAIRED) & codes(b, PAIRED))
    assert same == collection.pairs.together, "no pair can be learnt by heart"


# -------------------------------------------------------------------------------- captions


@pytest.mark.parametrize("split", SPLITS)
def test_a_fifth_of_the_combinations_is_for_testing_alone(split: str) -> None:
    some = ganzoo_avatars.portraits(split, CAPTIONS)
    apart = held_out(*(some.attributes[name] for name in ALWAYS))
    assert apart.all() if split == "test" else not apart.any()


def test_what_is_held_out() -> None:
    sizes = [len(VALUES[name]) for name in ALWAYS]
    everything = list(np.ndindex(*sizes))
    kept = [one for one in everything if not held_out(*one)]
    assert len(everything) == 240 and len(kept) == 192
    # whatever two of the three, training has them together
    for one, other in combinations(range(3), 2):
        assert len({(c[one], c[other]) for c in kept}) == sizes[one] * sizes[other]
    some = ganzoo_avatars.portraits("train", CAPTIONS)
    assert set(zip(*(some.attributes[name].tolist() for name in ALWAYS), strict=True)) == set(kept)


def test_sentences_name_what_is_so_and_mistakes_are_one_thing() -> None:
    for split in ("train", "test"):
        some = ganzoo_avatars.sentences(split)
        labels = some.labels()
        counts = Counter(np.sum([*some.said.values()], axis=0).tolist())
        assert set(counts) == {3, 4, 5, 6} and min(counts.values()) > 0.2 * len(some.text)
        for row in [*range(100), len(some.portraits) - 1]:
            number = int(some.sentence[row])
            words = some.portraits.words(row)
            named = {name: words[name] for name in SAYABLE if some.said[name][number]}
            assert some.text[number] in {caption(named, p) for p in range(PHRASINGS)}
            for name in SAYABLE:
                value = int(labels[name][row])
                known = (*VALUES[name], NOT_SAID)
                assert known[value] == named.get(name, NOT_SAID)
            if row >= 60:
                continue
            changes = [
                {**named, name: value}
                for name in named
                for value in VALUES[name]
                if value != named[name]
            ]
            wrong = [
                one
                for one in changes
                if some.mismatched[number] in {caption(one, p) for p in range(PHRASINGS)}
            ]
            assert len(wrong) == 1, some.mismatched[number]
            if split == "train":
                assert not held_out(*(VALUES[name].index(wrong[0][name]) for name in ALWAYS))


def test_other_attributes_give_other_sentences() -> None:
    random = np.random.default_rng(0)
    seen: dict[str, dict[str, str]] = {}
    for _ in range(500):
        names = [*ALWAYS, *random.permutation(SOMETIMES)[: random.integers(4)]]
        words = {name: str(random.choice(VALUES[name])) for name in names}
        for phrasing in range(PHRASINGS):
            assert seen.setdefault(caption(words, phrasing), words) == words
    assert caption({"hair": "spiky", "hair_colour": "blond", "clothes_colour": "red"}) == (
        "a person dressed in red clothes, with spiky blond hair"
    )


def test_portraits_of_one_sentence_share_what_it_names_and_differ_in_the_rest() -> None:
    some = ganzoo_avatars.sentences("train")
    number = len(some.text)
    for name in SAYABLE:
        rows = some.portraits.attributes[name].reshape(2, number)
        same = (rows == rows[0]).all(0)
        assert same[some.said[name]].all()
        if name in SOMETIMES:
            assert same[~some.said[name]].mean() < 0.4
    assert (some.sentence == np.arange(2 * number) % number).all()


def test_wrong_captions_are_refused() -> None:
    words = {"hair": "bun", "hair_colour": "red", "clothes_colour": "grey"}
    with pytest.raises(GanzooError, match="no sentence names 'brows'"):
        caption({**words, "brows": "angry"})
    with pytest.raises(GanzooError, match=r"no value 'gray'.*grey"):
        caption({**words, "clothes_colour": "gray"})
    with pytest.raises(GanzooError, match="'hair' is missing"):
        caption({"hair_colour": "red", "clothes_colour": "grey"})
    with pytest.raises(GanzooError, match=r"phrasing 60 is not in \[0, 60\)"):
        caption(words, 60)


def test_the_examples_are_held_out() -> None:
    for words in EXAMPLES:
        assert held_out(*(VALUES[name].index(words[name]) for name in ALWAYS)), words
    declared = next(one for one in ganzoo_avatars.ganzoo_data() if one.name == CAPTIONS)
    assert len(declared.fields.text.examples) == len(EXAMPLES)


def test_free_sentences_are_nobodys_template_and_ask_for_what_there_is(monkeypatch) -> None:
    free = free_sentences()
    assert len({sentence for sentence, _ in free}) == 100
    written = {one for split in SPLITS for one in ganzoo_avatars.sentences(split).text}
    for sentence, words in free:
        assert sentence not in written
        assert words and all(value in VALUES[name] for name, value in words.items()), sentence
    asked = Counter(pair for _, words in free for pair in words.items())
    # all values but one or two that hardly any sentence needs
    missing = {(n, v) for n, values in VALUES.items() for v in values} - set(asked)
    assert missing <= {("eyes", "open")}
    assert sum(set(ALWAYS) <= set(words) for _, words in free) >= 30
    monkeypatch.setattr(
        ganzoo, "embed", lambda some, *_, **__: np.ones((len(some), 384), "f4"), raising=False
    )
    source = ganzoo.load_data("avatars-sentences", "test")
    for field in source.fields.fields:
        if field != "text":
            name = "hair_colour" if field == "label" else field
            numbers = source.batch(field, torch.arange(100)).tolist()
            said = [source.fields[field].names[number] for number in numbers]
            assert said == [words.get(name, NOT_SAID) for _, words in free]


def test_captions_are_embedded_and_rows_belong_together(small, monkeypatch) -> None:
    """Without a sentence encoder: each sentence gets numbers of its own."""

    def numbers(sentences, encoder, keep):
        assert keep
        seeds = [int.from_bytes(sha256(one.encode()).digest()[:4], "big") for one in sentences]
        return np.stack([np.random.default_rng(s).normal(size=384) for s in seeds]).astype("f4")

    monkeypatch.setattr(ganzoo, "embed", numbers, raising=False)
    source = ganzoo.load_data(CAPTIONS)
    some = ganzoo_avatars.sentences("train")
    assert len(source) == len(some.portraits) == 60
    rows = torch.arange(60)
    for field, sentences in (("text", some.text), ("mismatched", some.mismatched)):
        expected = numbers([sentences[number] for number in some.sentence], "", True)
        np.testing.assert_array_equal(source.batch(field, rows).numpy(), expected)
    images = source.batch("image", rows).add(1).mul(127.5).round().byte().numpy()
    np.testing.assert_array_equal(images, some.portraits.pixels())
    hair = source.batch("label", rows).tolist()
    assert [VALUES["hair_colour"][n] for n in hair] == [
        some.portraits.words(row)["hair_colour"] for row in range(60)
    ]
    assert source.fields["beard"].names == (*VALUES["beard"], NOT_SAID)


# --------------------------------------------------------------------------------- package


def test_metrics_ask_for_what_the_free_sentences_say() -> None:
    declared = find(CAPTIONS, default().data)
    assert declared.sentences is not None and declared.fields.unsaid == NOT_SAID
    for sentence, (text, words) in zip(declared.sentences(), free_sentences(), strict=True):
        names = declared.fields.fields
        assert sentence.text == text
        assert {names[field].names[number] for field, number in sentence.says.items()} == set(  # type: ignore[reportAttributeAccessIssue]
            words.values()
        )


def test_it_is_small_and_says_whose_it_is(small, monkeypatch) -> None:
    files = [path for path in (HERE / "ganzoo_avatars").rglob("*") if path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 250_000
    notice = (HERE / "NOTICE.md").read_text("utf-8")
    for words in ("ToonHead", "Johan Melin", "Adventurer", "Lisa Wischofsky", "CC BY 4.0", "CC0"):
        assert words in notice
    assert (HERE / "licences" / "CC-BY-4.0.txt").stat().st_size > 10_000
    for declared in ganzoo_avatars.ganzoo_data():
        drawn = "image" in declared.fields.fields or "a" in declared.fields.fields
        assert ("CC" in declared.licence) == drawn and declared.source.startswith("https://")
    # offline, and whatever folders there are
    monkeypatch.setitem(os.environ, "GANZOO_DATA", "/nowhere")
    assert len(ganzoo.load_data("avatars", "test")) == 40


def test_declaring_brings_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, ganzoo_avatars; ganzoo_avatars.ganzoo_data(); "
        "print({'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
