"""A model in a browser, from a file and without a network, answers as it does in Python."""

from __future__ import annotations

import base64
import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import ganzoo
from ganzoo.data import load
from ganzoo.data.decoding import Preprocessing
from ganzoo.errors import TaskError
from ganzoo.export import page
from ganzoo.models.model import Model
from tests import browser_runtime
from tests.chromium import needs_browser

pytestmark = needs_browser
if not all(map(find_spec, ("onnxscript", "ganzoo_browser"))):
    pytest.skip("no runtime here: pip install 'ganzoo-core[html]'", allow_module_level=True)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CARDS = Path(__file__).parents[1] / "model_cards"
SECONDS = 120_000


class Opened:
    """A page of a model in a browser that has no network.

    Args:
        model: the model. page: the page. complaints: what the page asked for or complained of.
    """

    def __init__(self, browser: Browser, model: Model, path: Path) -> None:
        self.model, self.path = model, path
        self.made = [*page.write(model, path)]
        context = browser.new_context(offline=True)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SECONDS)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", self._asked)
        self.page.goto(path.as_uri())
        self.page.wait_for_function("globalThis.ganzoo !== undefined")
        self.page.evaluate("ganzoo.ready")

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("file:", "blob:", "data:")):
            self.complaints.append(request.url)

    def images(self, code: str) -> np.ndarray:
        """Images (n, c, h, w) that some JavaScript gives."""
        found = self.page.evaluate(
            f"Promise.resolve({code}).then(({{dims, data}}) => [[...dims], [...data]])"
        )
        return np.array(found[1], np.float32).reshape(found[0])

    def canvas(self, selector: str) -> np.ndarray:
        """The pixels of a canvas, uint8 (h, w, 4)."""
        url = self.page.eval_on_selector(selector, "(one) => one.toDataURL()")
        content = base64.b64decode(url.partition(",")[2])
        return np.array(Picture.open(io.BytesIO(content)).convert("RGBA"))


@pytest.fixture(scope="module")
def runtime() -> None:
    """What pages carry is here, or the test is skipped."""
    if why := browser_runtime.missing():
        pytest.skip(why)


@pytest.fixture(scope="module")
def digits(chromium: Browser, runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    model = ganzoo.from_pretrained(CARDS / "cdcgan-mnist")
    return Opened(chromium, model, tmp_path_factory.mktemp("page") / "digits.html")


@pytest.fixture(scope="module")
def strange(chromium: Browser, runtime: None, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    model = ganzoo.from_pretrained(CARDS / "ganomaly-mnist")
    return Opened(chromium, model, tmp_path_factory.mktemp("page") / "strange.html")


def test_one_small_file_that_asks_for_nothing(digits: Opened) -> None:
    assert digits.path.stat().st_size < 10_000_000
    assert digits.page.inner_text("#state").startswith("Everything is computed on this machine")
    assert digits.complaints == []


def test_a_seed_draws_the_same_pictures_as_in_python(digits: Opened) -> None:
    found = digits.images("ganzoo.generate({count: 4, seed: 21, given: {y: [7, 1, 3, 3]}})")
    wanted = digits.model.generate(4, seed=21, label=[7, 1, 3, 3], output="pt").numpy()
    assert np.abs(found - wanted).max() < 1e-4


def test_the_sheet_on_the_page_has_these_pixels(digits: Opened) -> None:
    page = digits.page
    # what people choose is called what it is, and not as the formula has it
    assert page.inner_text("#section-generate label:has(select)").startswith("class")
    page.fill("#section-generate input[name=seed]", "5")
    page.fill("#section-generate input[name=count]", "3")
    page.select_option("#section-generate select", label="2")
    page.click("#section-generate button")
    page.wait_for_function(
        "() => document.querySelector('#section-generate canvas').width === 3 * 28"
    )
    sheet = digits.canvas("#section-generate canvas")
    drawn = digits.model.generate(3, seed=5, label=2)
    wanted = np.concatenate([np.array(image) for image in drawn], 1)
    assert sheet.shape == (28, 84, 4) and (sheet[..., 3] == 255).all()
    assert np.abs(sheet[..., 0].astype(int) - wanted).max() <= 1
    assert (sheet[..., 0] == sheet[..., 2]).all()


def test_between_two_seeds(digits: Opened) -> None:
    """The ends are what the seeds draw, and the middle is on the sphere between them."""
    noise = "ganzoo.facts.tasks.generate.inputs.filter((one) => one.kind === 'normal')"

    def at(share: float) -> np.ndarray:
        return digits.images(f"ganzoo.between('generate', {noise}, 3, 8, {share}, {{y: [4]}})")

    for share, seed in ((0, 3), (1, 8)):
        wanted = digits.model.generate(1, seed=seed, label=4, output="pt").numpy()
        assert np.abs(at(share) - wanted).max() < 1e-4
    assert np.abs(at(0.5) - at(0)).max() > 0.1


def test_pictures_get_the_same_verdicts(strange: Opened, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    source = load("digits")
    digit = source.batch("image", torch.tensor([12])).add(1).mul(127.5).round().byte().numpy()
    pictures = {
        "digit": Picture.fromarray(digit[0, 0]),
        "noise": Picture.fromarray(generator.integers(0, 256, (28, 28), np.uint8)),
        "photo": Picture.fromarray(generator.integers(0, 256, (70, 90, 3), np.uint8)),
    }
    verdicts = set[str]()
    for name, picture in pictures.items():
        path = tmp_path / f"{name}.png"
        picture.save(path)
        scores = strange.model.score(path)
        strange.page.set_input_files("#section-score input[type=file]", path)
        text = f"score {float(scores.values[0]):.4g}"[:9]
        strange.page.wait_for_function(
            "(text) => document.querySelector('#section-score .answer').textContent.includes(text)",
            arg=text,
        )
        said = strange.page.inner_text("#section-score .answer")
        assert scores.is_anomaly is not None
        assert said.startswith("strange" if scores.is_anomaly[0] else "normal")
        verdicts.add(said.split(":")[0])
    assert verdicts == {"strange", "normal"}
    seen = strange.canvas("#section-score canvas")
    wanted = strange.model.preprocessing.file(tmp_path / "photo.png", (1, 28, 28))
    assert np.array_equal(seen[..., 0], wanted[0])
    assert strange.complaints == []


@pytest.mark.parametrize("filter", ["lanczos", "bicubic", "bilinear", "box", "nearest"])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_pictures_are_made_to_fit_as_in_python(
    strange: Opened, tmp_path: Path, fit: str, filter: str
) -> None:
    """To the last of 256 levels: Pillow's filters in whole numbers."""
    path = tmp_path / "x.png"
    pixels = np.random.default_rng(1).integers(0, 256, (37, 61, 3), np.uint8)
    Picture.fromarray(pixels).save(path)
    encoded = base64.b64encode(path.read_bytes()).decode()
    for shape in ((1, 28, 28), (3, 16, 24), (3, 64, 96), (1, 37, 61)):
        how = Preprocessing(fit, filter)
        found = strange.page.evaluate(
            "async ([data, shape, how]) => {"
            "const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));"
            "return [...await ganzoo.prepared(new Blob([bytes]), shape, how)];}",
            [encoded, [*shape], how.to_dict()],
        )
        wanted = how.file(path, shape)
        levels = np.round(np.array(found) * 255).reshape(shape)
        assert np.abs(levels - wanted).max() == 0, shape


def test_a_page_offers_what_people_ask_for(strange: Opened) -> None:
    assert [one.task for one in strange.made] == ["score", "reconstruct"]
    classifier = ganzoo.from_pretrained(CARDS / "wgan-gp-mnist")
    assert page.offered(classifier) == ["generate"]  # a critic is no detector


def test_a_strangers_text_stays_text(strange: Opened) -> None:
    facts = {"score": {"model": "</script><script>alert(1)</script>"}}
    text = page.page(strange.model, {"score": b"x"}, facts)
    assert "alert(1)</script>" not in text and "{{" not in text.partition("<script type=module")[0]


def test_what_cannot_be_offered_is_an_error() -> None:
    matcher = ganzoo.from_pretrained(CARDS / "matcher-emoji")
    with pytest.raises(TaskError, match="no task that a page can offer; choose tasks with --task"):
        page.offered(matcher)
