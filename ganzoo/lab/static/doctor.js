// The training doctor: what the curves say, in the words of `ganzoo doctor`, and what helps.

const REMEDIES = {
  unroll: { label: "Unroll 5 steps", change: { unroll: 5 },
    why: "the generator sees how the discriminator will answer, so flight to one mode does not pay" },
  rpgan: { label: "Pair, with R1 + R2", change: { loss: "rpgan", add: "none", repeat: 1, clip: 0, numbers: { gamma: 0.1 } },
    why: "each fake is judged against a real point, and penalties keep the slopes at both calm" },
  r1r2: { label: "Add R1 + R2", change: { add: "r1r2" },
    why: "slopes at data and fakes cost, so the discriminator stops swinging past them" },
  "wgan-gp": { label: "WGAN-GP, gently", change: { loss: "wgan-gp", add: "none", repeat: 5, clip: 0, unroll: 0,
    opt: "own", lrd: 0.001, lrg: 0.001, numbers: { penalty: 1 } },
    why: "a critic with slopes near 1 points the way from everywhere, at rates that it bears" },
  nonsaturating: { label: "Non-saturating loss", change: { loss: "nonsaturating" },
    why: "its gradient is strongest where the discriminator is surest" },
};

/** Settings with a remedy; null where they have it already. */
function remedied(settings, name) {
  const { change } = REMEDIES[name];
  const found = { ...settings, ...change, numbers: { ...(change.numbers || settings.numbers) } };
  if (name === "r1r2") found.numbers.gamma = settings.numbers.gamma || 1;
  return JSON.stringify(found) === JSON.stringify(settings) ? null : found;
}

const LOOKS = 12; // measurements that a verdict is about

/** `{kind, title, text, remedies}` of a game. */
function diagnose(game) {
  const seen = game.history.measured, now = seen[seen.length - 1];
  const said = (kind, title, text, ...remedies) => ({
    kind, title, text,
    remedies: remedies.filter((name) => remedied(game.settings, name)),
  });
  if (game.broken) {
    return said("bad", "The losses run away", `${game.broken}: no number that can be learnt from. Lower the `
      + "learning rates, or add a penalty.", "r1r2");
  }
  if (!now || game.rounds < 10 * LOOKS) {
    return said("wait", "Too early to tell", "A hundred rounds or so, and the doctor has an opinion.");
  }
  const tail = seen.slice(-LOOKS), distances = tail.map((look) => look.distance);
  const average = (values) => values.reduce((one, other) => one + other, 0) / values.length;
  const distance = average(distances), floor = game.floor;
  const first = seen.slice(0, 4).map((look) => look.push);
  const push = average(tail.map((look) => look.push)), gap = average(tail.map((look) => look.gap));
  if (gap > 0.98 && distance > 2 * floor && push < 0.05 * Math.max(...first, 0.02)) {
    return said("bad", "The generator's gradient vanishes",
      `The discriminator ranks ${percent(gap)} of the data above the fakes, and where it is that sure, `
      + `this loss is flat: the mean arrow has a length of ${short(push)}. The generator learns next to nothing.`,
      "nonsaturating", "wgan-gp");
  }
  if (now.of > 2 && distance > 2 * floor) {
    const hit = Math.max(...tail.map((look) => look.hit));
    if (average(tail.map((look) => look.hit)) < now.of / 4 && average(tail.map((look) => look.spread)) < 0.6) {
      return said("bad", "The generator has collapsed",
        `It draws few of the ${now.of} modes (at most ${hit} at a time) again and again. Whatever mode it `
        + "takes, the discriminator soon knows it for fake, and all fakes move on together.",
        "wgan-gp", "rpgan", "unroll"); // the first cures most seeds
    }
  }
  const way = swing(tail.map((look) => look.centre));
  if (distance > 1.6 * floor && way.path > 1.5 * game.span && way.path > 4 * way.net) {
    return said("bad", "The two networks chase each other",
      `The fakes' centre went ${short(way.path)} in the last ${LOOKS * MEASURE_EVERY} rounds and came `
      + `${short(way.net)} far. Each network answers to where the other one was.`, "r1r2", "rpgan");
  }
  if (distance < 1.5 * floor) {
    return said("good", "The fakes are where the data are",
      `Fakes are ${short(distance)} from the data; two samples of the data are ${short(floor)} apart. `
      + (Math.abs(gap - 0.5) < 0.15 ? "The discriminator guesses as a coin would." : ""));
  }
  const before = seen.slice(-3 * LOOKS, -LOOKS).map((look) => look.distance);
  if (before.length === 2 * LOOKS && distance > 0.97 * average(before)) {
    return said("fair", "Nothing becomes better",
      `The distance stays at about ${short(distance)}, where ${short(floor)} is as near as samples come. `
      + "A larger network, other rates or another loss may help.", "rpgan", "wgan-gp");
  }
  return said("fair", "It learns", `The distance is ${short(distance)} and falls; ${short(floor)} is as near as samples come.`);
}

/** How far the centre went, and how far it came. */
function swing(centres) {
  let path = 0;
  for (let i = 1; i < centres.length; i++) {
    path += Math.hypot(centres[i][0] - centres[i - 1][0], centres[i][1] - centres[i - 1][1]);
  }
  const [first, last] = [centres[0], centres[centres.length - 1]];
  return { path, net: Math.hypot(last[0] - first[0], last[1] - first[1]) };
}

const percent = (share) => `${Math.round(100 * share)} %`;

/** A number in three digits. */
function short(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e5)) return value.toExponential(1).replace("-", "\u2212");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3).replace("-", "\u2212");
}
