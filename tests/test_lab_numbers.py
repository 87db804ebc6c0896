"""The laboratory computes what ganzoo computes: its gradients are torch's, for every loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo.engine.plan import Plan
from ganzoo.engine.writer import Tools
from ganzoo.lab import page as pages
from ganzoo.lab.programs import FUNCTIONS, PENALTIES, Sizes, game, program, with_penalty
from ganzoo.nn.build import build, initialize
from ganzoo.nn.optimizers import make
from ganzoo.plugins import host
from ganzoo.seed import key
from ganzoo.spec.losses.loss import Loss
from tests.chromium import browser, needs_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_browser
SIZES = Sizes(width=6, depth=2, latent=3, activation="leaky_relu", batch=7)
ROUNDS = 3
LOSSES = host.default().losses


@pytest.fixture(scope="module")
def scripts() -> Iterator[Page]:
    """A blank page with the scripts that compute, and the program."""
    with browser() as opened:
        page = opened.new_page()
        page.add_script_tag(content=pages.script(*pages.CORE))
        page.evaluate("text => { window.program = JSON.parse(text); }", json.dumps(program()))
        yield page


def cases() -> Iterator[Any]:
    for name, loss in LOSSES.items():
        for penalty in PENALTIES:
            for repeat in (1, 2, 4):
                if with_penalty(loss, penalty):
                    yield pytest.param(name, penalty, repeat, id=f"{name}-{penalty}-{repeat}")


def made(name: str, penalty: str, repeat: int) -> tuple[Loss, dict[str, float]]:
    """A loss with odd numbers, so that no default hides a mistake."""
    loss = with_penalty(LOSSES[name], penalty)
    assert loss is not None
    numbers = {number: 0.37 + 0.5 * index for index, number in enumerate(loss.numbers)}
    return loss.with_settings({**numbers, "repeat": repeat}), numbers


class Reference:
    """Rounds as ganzoo's plan runs them in float64, with what came of them."""

    def __init__(self, loss: Loss, sizes: Sizes = SIZES) -> None:
        self.spec = game(loss, sizes)
        self.round = Plan(self.spec).round(0, 0)
        self.networks = build(self.spec)
        for name, net in self.networks.items():
            initialize(net, self.spec.networks[name], key(0, "weights", name))
            net.double()
        self.first = self.weights()
        self.noise = np.random.default_rng(5)
        self.draws: list[dict[str, Any]] = []
        self.steps: list[list[float]] = []
        self.losses: list[float] = []
        [stage] = self.spec.stages
        self.updates = {update.name: update for update in stage.updates}
        self.optimizers = {
            name: make(update.optimizer, [*self.networks[name].parameters()], {})
            for name, update in self.updates.items()
        }

    def weights(self) -> dict[str, list[list[float]]]:
        return {
            name: [p.detach().flatten().tolist() for p in net.parameters()]
            for name, net in self.networks.items()
        }

    def run(self) -> None:
        self.draws.append({})
        self.round.compile(self.networks, Tools())(self._draw, self._gradients, self._apply)

    def _draw(self, version: int, *words: str) -> Any:
        found = []
        for word in words:
            kept = self.draws[-1].get(f"{version}/{word}")
            if kept is None:
                shape = {"x": (7, 2, 1, 1), "z": (7, SIZES.latent)}.get(word, (7,))
                kept = self.noise.random(shape) if shape == (7,) else self.noise.normal(size=shape)
                self.draws[-1][f"{version}/{word}"] = kept
            found.append(torch.from_numpy(kept))
        return found[0] if len(found) == 1 else found

    def _gradients(self, name: str, *terms: Tensor, keep_graph: bool = False) -> None:
        parameters = [*self.networks[name].parameters()]
        found = torch.autograd.grad(
            torch.stack(terms).sum(), parameters, retain_graph=keep_graph, allow_unused=True
        )
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        self.steps.append(torch.cat([p.grad.flatten() for p in parameters]).tolist())  # type: ignore[union-attr]
        self.losses += [term.item() for term in terms]

    def _apply(self, name: str) -> None:
        self.optimizers[name].step()
        limit = self.updates[name].clip_weights
        if limit is not None:
            with torch.no_grad():
                for parameter in self.networks[name].parameters():
                    parameter.clamp_(-limit, limit)


IN_THE_BROWSER = """([settings, weights, draws]) => {
  const game = new Game({ ...defaults(program, settings.loss), ...settings }, program);
  const set = (name, values) => game.networks[name].parameters.forEach(
    (p, i) => p.data.set(values[name][i]));
  set("G", weights);
  set("D", weights);
  game.fresh = () => { throw new Error("a draw that the plan does not make"); };
  game.measure = () => {};
  const steps = [], losses = [];
  for (const drawn of draws) {
    game.draw = (version, words) => {
      const found = words.map((word) => {
        const values = drawn[`${version}/${word}`];
        return constant(values.length, values[0].length, values.flat());
      });
      return found.length === 1 ? found[0] : found;
    };
    const learn = game.gradients;
    game.gradients = ([name, ...terms], names) => {
      learn.call(game, [name, ...terms], names);
      steps.push(game.pending[name].flatMap((g) => [...g.data]));
      losses.push(...terms.filter((t) => t instanceof Tensor).map((t) => t.item()));
    };
    game.round();
    game.gradients = learn;
  }
  return { text: game.text, steps, losses, weights: Object.fromEntries(Object.entries(
    game.networks).map(([name, net]) => [name, net.parameters.map((p) => [...p.data])])) };
}"""


def settings(name: str, penalty: str, repeat: int, numbers: dict[str, float]) -> dict[str, Any]:
    return {
        "loss": name, "add": penalty, "repeat": repeat, "numbers": numbers, "width": SIZES.width,
        "depth": SIZES.depth, "latent": SIZES.latent, "act": SIZES.activation, "batch": SIZES.batch,
        "lrd": 1e-3, "lrg": 1e-3,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "penalty", "repeat"), [*cases()])
def test_text_losses_gradients_and_steps_are_those_of_ganzoo(
    name: str, penalty: str, repeat: int, scripts: Page
) -> None:
    """The same text, and to 1e-9 the same terms, gradients and weights after three rounds."""
    loss, numbers = made(name, penalty, repeat)
    reference = Reference(loss)
    for _ in range(ROUNDS):
        reference.run()
    draws = [
        {word: v.reshape(len(v), -1).tolist() for word, v in drawn.items()}
        for drawn in reference.draws
    ]
    given = [settings(name, penalty, repeat, numbers), reference.first, draws]
    found = scripts.evaluate(IN_THE_BROWSER, given)
    assert found["text"] == reference.round.code
    assert len(found["steps"]) == len(reference.steps) == ROUNDS * (repeat + 1)
    assert max(map(abs, reference.steps[-1])) > 0
    for ours, theirs in zip(found["steps"], reference.steps, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["losses"], reference.losses, rtol=1e-9, atol=1e-12)
    for net, values in reference.weights().items():
        for ours, theirs in zip(found["weights"][net], values, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_every_function_that_the_program_counts_on_is_there(scripts: Page) -> None:
    assert set(scripts.evaluate("Object.keys(FUNCTIONS)")) == FUNCTIONS


def test_every_loss_is_offered_or_the_reason_is_told() -> None:
    told = program()
    assert {loss["name"] for loss in told["losses"]} | set(told["left_out"]) == set(LOSSES)
    assert len(told["losses"]) >= 7


@pytest.mark.parametrize("name", ["nonsaturating", "wgan", "rpgan"])
def test_the_gradient_through_unrolled_steps_is_that_of_differences(
    name: str, scripts: Page
) -> None:
    """G's gradient through three steps of D, against G's loss at weights a little aside."""
    found = scripts.evaluate(
        """(loss) => {
          const settings = { ...defaults(program, loss), loss, unroll: 3, repeat: 1, width: 5,
            depth: 1, act: "tanh", batch: 6, clip: 0, lrd: 0.05 };
          const game = new Game(settings, program);
          game.round();
          // D must not step in between, so that only G's weight differs
          game.optimizers.D.step = () => {};
          game.optimizers.G.step = () => {};
          const total = (by, index) => {
            const { data } = game.networks.G.parameters[0], before = data[index];
            data[index] += by;
            game.rounds = 1;
            game.start();
            while (game.line());
            data[index] = before;
            const [word] = Object.keys(game.losses).filter((key) => key.startsWith("G_"));
            return [game.losses[word], game.pending.G[0].data[index]];
          };
          return [0, 3, 7].map((index) => {
            const [up] = total(1e-5, index), [down] = total(-1e-5, index);
            const [, slope] = total(0, index);
            return [(up - down) / 2e-5, slope];
          });
        }""",
        name,
    )
    for differences, slope in found:
        assert slope == pytest.approx(differences, rel=1e-5, abs=1e-8)
    assert any(abs(slope) > 1e-4 for _, slope in found)


def test_the_distance_is_that_of_the_best_assignment(scripts: Page) -> None:
    from scipy.optimize import linear_sum_assignment

    noise = np.random.default_rng(1)
    for n in (1, 2, 17, 64):
        a, b = noise.normal(size=(2, n, 2))
        cost = np.linalg.norm(a[:, None] - b[None], axis=2)
        wanted = cost[linear_sum_assignment(cost)].mean()
        found = scripts.evaluate(
            "([a, b]) => wasserstein(Float64Array.from(a), Float64Array.from(b))",
            [a.ravel().tolist(), b.ravel().tolist()],
        )
        assert found == pytest.approx(wanted, rel=1e-12)


def test_modes_are_hit_by_a_quarter_of_their_share(scripts: Page) -> None:
    found = scripts.evaluate(
        """() => {
          const modes = [[0, 0], [1, 0]], few = [], all = [];
          for (let i = 0; i < 16; i++) { few.push(i < 15 ? 0 : 1, 0); all.push(i % 2, 0); }
          return [modesHit(few, modes, 0.05), modesHit(all, modes, 0.05),
            modesHit(all.map((v) => v + 0.5), modes, 0.05)];
        }"""
    )
    assert [look["hit"] for look in found] == [1, 2, 0]
    assert [look["near"] for look in found] == [1, 1, 0]


def test_a_rewound_game_goes_on_as_it_went(scripts: Page) -> None:
    """Draws follow from seed and round, so the same rounds come again to the last bit."""
    once, again = scripts.evaluate(
        """() => {
          const game = new Game({ ...defaults(program, "rpgan"), width: 6, batch: 16 }, program);
          const weights = () => game.networks.G.parameters.flatMap((p) => [...p.data]);
          for (let i = 0; i < 9; i++) game.round();
          const once = weights();
          game.rewind(4);
          game.forget();
          while (game.rounds < 9) game.round();
          return [once, weights()];
        }"""
    )
    assert once == again


def test_an_address_says_all_settings_and_nothing_else_comes_in(scripts: Page) -> None:
    found = scripts.evaluate(
        """() => {
          const from = (text) => settingsFrom(text, program);
          const points = pointsText([[0.5, -1], [0, 1]]);
          const one = from(`loss=rpgan&data=drawn&n-gamma=0.3&width=17&points=${points}`);
          const bad = "loss=<b>&width=1e9&lrd=NaN&data=__proto__&n-gamma=-1&depth=0";
          return [one, from(addressOf(one, program)), from(bad), defaults(program)];
        }"""
    )
    one, two, bad, usual = found
    assert one == two
    assert one["width"] == 17 and one["numbers"] == {"gamma": 0.3} and len(one["points"]) == 2
    assert np.abs(np.array(one["points"]) - [[0.5, -1], [0, 1]]).max() < 0.003
    assert bad == usual
