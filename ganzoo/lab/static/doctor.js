// The training doctor: a diagnosis of the curves, as `ganzoo doctor` gives one of logs, and remedies.

const REMEDIES = {
  unroll: { label: "Unroll 5 steps", change: { unroll: 5, act: "leaky_relu" },
    why: "lets G take D's next 5 steps into account, so that moving on does not pay; with leaky ReLU" },
  rpgan: { label: "RpGAN, R1 + R2", change: { loss: "rpgan", add: "none", repeat: 1, clip: 0, unroll: 0,
    lrd: 0.002, lrg: 0.002, numbers: { gamma: 0.1 } },
    why: "compares each fake with a real point, and penalizes D's gradient at both" },
  r1r2: { label: "Add R1 + R2", change: { add: "r1r2" },
    why: "penalizes D's gradient at data and fakes, so that D stops overshooting" },
  "wgan-gp": { label: "WGAN-GP", change: { loss: "wgan-gp", add: "none", repeat: 5, clip: 0, unroll: 0,
    opt: "own", act: "leaky_relu", batch: 128, lrd: 0.001, lrg: 0.001, numbers: { penalty: 1 } },
    why: "keeps the norm of the critic's gradient near 1, so that every fake gets a direction" },
  nonsaturating: { label: "Non-saturating loss", change: { loss: "nonsaturating" },
    why: "has its largest gradient where D is most certain" },
};

/** Settings with a remedy applied; null if that changes nothing. */
function remedied(settings, name) {
  const { change } = REMEDIES[name];
  const found = { ...settings, ...change, numbers: { ...(change.numbers || settings.numbers) } };
  if (name === "r1r2") found.numbers.gamma = settings.numbers.gamma || 1;
  return JSON.stringify(found) === JSON.stringify(settings) ? null : found;
}

const LOOKS = 12; // measurements that a diagnosis is based on
const VANISHED = 0.01; // mean length of the arrows, in a plane of 3 by 3, below which fakes hardly move

/** The diagnosis of a game: `{kind, title, text, remedies}`. Limits that logs have too are `ganzoo doctor`'s. */
function diagnose(game) {
  const seen = game.history.measured, now = seen[seen.length - 1];
  const said = (kind, title, text, ...remedies) => ({
    kind, title, text,
    remedies: remedies.filter((name) => remedied(game.settings, name)),
  });
  if (game.broken) {
    return said("bad", "The losses diverge", `${game.broken}. Lower the learning rates, or add a penalty.`, "r1r2");
  }
  if (!game.rounds) {
    return said("wait", "Press Play", "The diagnosis appears here. The examples above show what can go wrong, and the lessons explain why.");
  }
  if (!now || game.rounds < MEASURE_EVERY * LOOKS) {
    return said("wait", "Too early to tell", `The first diagnosis comes after ${MEASURE_EVERY * LOOKS} rounds.`);
  }
  const tail = seen.slice(-LOOKS), average = (values) => values.reduce((one, other) => one + other, 0) / values.length;
  const mean = (key) => average(tail.map((look) => look[key]));
  const distance = mean("distance"), floor = game.floor, push = mean("push"), gap = mean("gap");
  const begin = Math.max(...seen.slice(0, 4).map((look) => look.push));
  if (gap > game.limits.separated && distance > 2 * floor && push < Math.max(VANISHED, 0.05 * begin)) {
    return said("bad", "The generator's gradient vanishes",
      `The discriminator ranks ${percent(gap)} of the real points above the fakes, and where it is that certain, `
      + `this loss is flat: the mean length of the arrows is ${short(push)}. The generator hardly learns.`,
      "nonsaturating", "wgan-gp");
  }
  if (now.of > 2 && distance > 2 * floor && mean("hit") < now.of / 4 && mean("spread") < 0.6) {
    const hit = Math.max(...tail.map((look) => look.hit));
    return said("bad", "The generator has collapsed",
      `All fakes are close together: of the ${now.of} modes they cover ${hit || "none"}${hit ? " at most" : ""} at a time. `
      + "Wherever they go, the discriminator soon knows that place for fakes, and all of them move on together.",
      "wgan-gp", "rpgan", "unroll"); // each cures seeds 0 to 4 of lesson 5
  }
  const way = swing(tail.map((look) => look.centre));
  if (distance > 1.6 * floor && way.path > 1.5 * game.span && way.path > 4 * way.net) {
    return said("bad", "The two networks chase each other",
      `In the last ${LOOKS * MEASURE_EVERY} rounds the centre of the fakes travelled ${short(way.path)} and ended `
      + `only ${short(way.net)} from where it was. Each network reacts to what the other one did before.`, "r1r2", "rpgan");
  }
  if (distance < 1.5 * floor) {
    return said("good", "The fakes are where the data are",
      `Their distance to the data is ${short(distance)}; that of two samples of the data is ${short(floor)}.`
      + (Math.abs(gap - 0.5) < game.limits.chance ? " The discriminator can only guess." : ""));
  }
  const before = seen.slice(-3 * LOOKS, -LOOKS).map((look) => look.distance);
  if (before.length === 2 * LOOKS && distance > 0.97 * average(before)) {
    return said("fair", "No further progress",
      `The distance stays near ${short(distance)}; that of two samples of the data is ${short(floor)}. `
      + "A larger network, other learning rates or another loss may help.", "rpgan", "wgan-gp");
  }
  return said("fair", "It learns", `The distance is ${short(distance)} and falls; that of two samples of the data is ${short(floor)}.`);
}

/** The length of the path of the centre, and how far apart its ends are. */
function swing(centres) {
  let path = 0;
  for (let i = 1; i < centres.length; i++) {
    path += Math.hypot(centres[i][0] - centres[i - 1][0], centres[i][1] - centres[i - 1][1]);
  }
  const [first, last] = [centres[0], centres[centres.length - 1]];
  return { path, net: Math.hypot(last[0] - first[0], last[1] - first[1]) };
}

const percent = (share) => `${Math.round(100 * share)} %`;

/** A number in about three digits. */
function short(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e5)) return value.toExponential(1).replace("-", "\u2212");
  if (!size) return "0";
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3).replace("-", "\u2212");
}
