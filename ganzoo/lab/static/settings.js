// The settings of a run, and their form in an address.

const OPTIMIZERS = {
  adam: { kind: "adam", betas: [0.5, 0.999], eps: 1e-8 },
  rmsprop: { kind: "rmsprop", alpha: 0.99, eps: 1e-8 },
  sgd: { kind: "sgd", momentum: 0 },
};

/** key: default, and what is allowed: a list of words, or [least, most]. */
const SETTINGS = {
  data: { start: "ring", words: Object.keys(DATA) },
  loss: { start: "nonsaturating", words: null }, // the program's
  add: { start: "none", words: ["none", "gp", "r1r2"] },
  repeat: { start: 1, range: [1, 20], whole: true },
  unroll: { start: 0, range: [0, 10], whole: true },
  lrd: { start: 0.002, range: [0, 1] },
  lrg: { start: 0.002, range: [0, 1] },
  opt: { start: "own", words: ["own", ...Object.keys(OPTIMIZERS)] },
  clip: { start: 0, range: [0, 10] },
  width: { start: 32, range: [1, 128], whole: true },
  depth: { start: 2, range: [1, 5], whole: true },
  latent: { start: 2, range: [1, 16], whole: true },
  act: { start: "leaky_relu", words: ["leaky_relu", "relu", "tanh"] },
  batch: { start: 128, range: [8, 512], whole: true },
  seed: { start: 0, range: [0, 999999], whole: true },
};
const MOST_POINTS = 400;

/** The examples that the page offers. */
const PRESETS = [
  { name: "Healthy training", settings: "loss=rpgan&n-gamma=0.1" },
  { name: "Mode collapse", settings: "loss=nonsaturating&act=relu&lrg=0.005&lrd=0.001" },
  { name: "Vanishing gradients", settings: "loss=minimax&act=tanh&repeat=10&lrd=0.02&lrg=0.0001&batch=64" },
  { name: "Oscillation", settings: "loss=hinge" },
];

function defaults(program, loss) {
  const found = { numbers: {}, points: [] };
  for (const [key, { start }] of Object.entries(SETTINGS)) found[key] = start;
  const known = program.losses.find((other) => other.name === (loss || found.loss));
  if (known) Object.assign(found, { loss: known.name, repeat: known.repeat, clip: known.clip });
  return found;
}

/** Settings from an address; values that are not allowed are ignored. */
function settingsFrom(text, program) {
  const given = new URLSearchParams(text.replace(/^#/, ""));
  const losses = program.losses.map((loss) => loss.name);
  const loss = losses.includes(given.get("loss")) ? given.get("loss") : undefined;
  const found = defaults(program, loss);
  for (const [key, rule] of Object.entries(SETTINGS)) {
    if (key === "loss" || !given.has(key)) continue;
    const value = read(rule, given.get(key));
    if (value !== undefined) found[key] = value;
  }
  const made = lossOf(program, found);
  if (!made.with[found.add]) found.add = "none";
  for (const name of Object.keys(made.with[found.add].numbers)) {
    const value = given.has(`n-${name}`) ? read({ range: [0, 1000] }, given.get(`n-${name}`)) : undefined;
    if (value !== undefined) found.numbers[name] = value;
  }
  if (found.data === "drawn") found.points = pointsFrom(given.get("points") || "");
  return found;
}

function read(rule, text) {
  if (rule.words) return rule.words.includes(text) ? text : undefined;
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(value) || value < rule.range[0] || value > rule.range[1]) return undefined;
  return rule.whole ? Math.round(value) : value;
}

function addressOf(settings, program) {
  const usual = defaults(program, settings.loss), found = new URLSearchParams();
  for (const key of Object.keys(SETTINGS)) {
    if (settings[key] !== usual[key] || key === "loss") found.set(key, settings[key]);
  }
  const numbers = lossOf(program, settings).with[settings.add].numbers;
  for (const [name, value] of Object.entries(settings.numbers)) {
    if (name in numbers && value !== numbers[name]) found.set(`n-${name}`, value);
  }
  if (settings.data === "drawn") found.set("points", pointsText(settings.points));
  return found.toString();
}

function lossOf(program, settings) {
  return program.losses.find((loss) => loss.name === settings.loss);
}

// a point is four letters of base 36: x and y, each in 1296 steps from -1.5 to 1.5
function pointsText(points) {
  const one = (value) => Math.round(((value + 1.5) / 3) * 1295).toString(36).padStart(2, "0");
  return points.map(([x, y]) => one(x) + one(y)).join("");
}

function pointsFrom(text) {
  const found = [];
  for (let i = 0; i + 4 <= text.length && found.length < MOST_POINTS; i += 4) {
    const [x, y] = [text.slice(i, i + 2), text.slice(i + 2, i + 4)].map((t) => (parseInt(t, 36) / 1295) * 3 - 1.5);
    if (Math.abs(x) <= 1.5 && Math.abs(y) <= 1.5) found.push([x, y]);
  }
  return found;
}
