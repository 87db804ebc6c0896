// One training run: two networks, their data, the round that ganzoo's plan wrote, and its history.

const MEASURED = 128; // points for the distance
const COUNTED = 512; // points for the count of modes
const MEASURE_EVERY = 10;
const MOST_SNAPSHOTS = 240;
const MOST_NUMBERS = 8e6; // in all snapshots: 64 MB

/** The text of a round for these numbers; `{gamma*0.5+0}` are its places. */
function roundText(loss, settings) {
  const made = loss.with[settings.add] || loss.with.none;
  const repeat = settings.repeat > 2 ? "more" : String(settings.repeat);
  const numbers = { ...made.numbers, ...settings.numbers, repeat: settings.repeat };
  const text = made.rounds[repeat].replace(
    /\{(\w+)\*([\d.e+-]+?)([+-][\d.]+)\}/g,
    (_, name, factor, offset) => String(Number((numbers[name] * factor + Number(offset)).toPrecision(12))),
  );
  if (!settings.unroll) return text;
  const ahead = `    D = unroll(D, ${settings.unroll})  # by the laboratory, not by the plan`;
  return text.replace("    # update G\n", `    # update G\n${ahead}\n`);
}

class Game {
  /** settings: as `settings.js` has them. program: what `ganzoo.lab.programs` made. */
  constructor(settings, program) {
    this.settings = settings;
    this.loss = program.losses.find((loss) => loss.name === settings.loss);
    this.limits = program.doctor;
    this.data = new Data(settings.data, settings.points);
    this.text = roundText(this.loss, settings);
    this.statements = parseRound(this.text);
    const hidden = [];
    for (let i = 0; i < settings.depth; i++) {
      const act = { kind: settings.act };
      if (settings.act === "leaky_relu") act.slope = 0.2;
      hidden.push({ kind: "linear", units: settings.width }, act);
    }
    this.networks = {
      G: new Network("G", [...hidden, { kind: "linear", units: 2 }], settings.latent),
      D: new Network("D", [...hidden, { kind: "linear", units: 1 }], 2),
    };
    this.optimizers = {};
    for (const [name, network] of Object.entries(this.networks)) {
      network.begin(settings.seed);
      const own = this.loss.optimizers[name];
      const chosen = settings.opt === "own" || settings.opt === own.kind ? own : OPTIMIZERS[settings.opt];
      const lr = name === "G" ? settings.lrg : settings.lrd;
      this.optimizers[name] = new Optimizer({ ...chosen, lr }, network.parameters);
    }
    this.rounds = 0;
    this.broken = "";
    this.scope = new Map();
    this.statement = null;
    this.history = new History();
    // the scores of the discriminator are log odds, and its surface is a probability
    this.judgesByChance = /\bbce\(/.test(this.text);
    const batch = (word, count) => new Chance(settings.seed, "fixed", word, count);
    this.latents = lasting(COUNTED, settings.latent);
    const chance = batch("z", COUNTED);
    for (let i = 0; i < this.latents.data.length; i++) this.latents.data[i] = chance.normal();
    this.sample = this.data.draw(COUNTED, batch("x", COUNTED));
    this.reference = this.data.draw(MEASURED, batch("reference", MEASURED));
    this.floor = wasserstein(this.reference, this.sample.subarray(0, 2 * MEASURED));
    this.span = apart(this.sample);
    const numbers = 3 * Object.values(this.networks).reduce((total, network) => total + network.size, 0);
    this.most = Math.max(20, Math.min(MOST_SNAPSHOTS, Math.floor(MOST_NUMBERS / numbers)));
    this.snapshots = [];
    this.every = 1;
    this.snap();
    this.measure();
  }

  // ------------------------------------------------------------------------------ a round

  start() {
    arena.release(0);
    this.scope = new Map(Object.entries(FUNCTIONS));
    for (const [name, network] of Object.entries(this.networks)) {
      this.scope.set(name, (x) => network.call(x));
    }
    this.drawn = new Map();
    this.pending = {};
    this.losses = {};
    this.applied = "";
    this.scope.set("draw", (version, ...words) => this.draw(version, words.slice(0, -1)));
    this.scope.set("gradients", (terms, names) => this.gradients(terms, names));
    this.scope.set("apply", (name) => this.apply(name));
    this.scope.set("unroll", (_, steps) => this.unroll(steps));
    this.scope.set("leaf", leaf);
    this.scope.set("grad", (of, at, { create_graph: graph }) => gradientsOf(sum(of), [at], Boolean(graph))[0]);
    this.scope.set("True", 1);
    // after unrolled steps, even the output of D for data depends on G
    const graph = this.settings.unroll > 0;
    this.running = new Interpreter(this.scope, { graph }).run(this.statements);
    this.statement = this.running.next().value || null;
  }

  /** Run the highlighted line and move to the next. Returns whether the round goes on. */
  line() {
    if (this.broken) return false;
    if (!this.statement) this.start();
    const next = this.running.next();
    this.statement = next.done ? null : next.value;
    if (next.done) this.finish();
    return !next.done;
  }

  /** Run until a network has been updated. */
  update() {
    this.applied = "";
    while (this.line() && !this.applied);
  }

  /** Run to the end of the round. */
  round() {
    while (this.line());
  }

  finish() {
    this.rounds += 1;
    const bad = Object.entries(this.losses).find(([, value]) => !Number.isFinite(value));
    if (bad) this.broken = `${bad[0]} is ${bad[1]} in round ${this.rounds}`;
    this.history.add(this.rounds, this.losses);
    if (this.rounds % MEASURE_EVERY === 0 && !this.broken) this.measure();
    if (this.rounds % this.every === 0 && !this.broken) this.snap();
  }

  // ------------------------------------------------------- functions that the round calls

  draw(version, words) {
    const found = words.map((word) => {
      const key = `${version}/${word}`;
      if (!this.drawn.has(key)) {
        const chance = new Chance(this.settings.seed, this.rounds, version, word);
        this.drawn.set(key, this.fresh(word, chance));
      }
      return this.drawn.get(key);
    });
    return found.length === 1 ? found[0] : found;
  }

  fresh(word, chance) {
    const { batch, latent } = this.settings;
    if (word === "x") return constant(batch, 2, this.data.draw(batch, chance));
    const made = word === "z" ? fresh(batch, latent) : fresh(batch, 1);
    for (let i = 0; i < made.data.length; i++) {
      made.data[i] = word === "z" ? chance.normal() : chance.uniform();
    }
    return made;
  }

  gradients([name, ...terms], [, ...words]) {
    terms = terms.filter((term) => term instanceof Tensor);
    const total = terms.reduce((one, other) => add(one, other));
    this.pending[name] = gradientsOf(total, this.networks[name].parameters);
    terms.forEach((term, index) => {
      this.losses[words[index]] = term.item();
    });
  }

  apply(name) {
    this.optimizers[name].step(this.pending[name]);
    const limit = name === "D" ? this.settings.clip : 0;
    if (limit) {
      for (const { data } of this.networks[name].parameters) {
        for (let i = 0; i < data.length; i++) data[i] = Math.min(limit, Math.max(-limit, data[i]));
      }
    }
    this.applied = name;
  }

  /**
   * The discriminator after more steps of its own, as a function of the fakes (unrolled GANs,
   * arXiv:1611.02163): the generator's gradient goes through the steps. A step is the gradient
   * times each weight's rate in the optimizer as it stands; momentum and clipping are left out.
   */
  unroll(steps) {
    const network = this.networks.D, { body, terms } = this.lastUpdate("D");
    const rates = network.parameters.map((parameter, index) =>
      constant(parameter.rows, parameter.columns, this.optimizers.D.rates(index)));
    let parameters = network.parameters;
    for (let step = 0; step < steps; step++) {
      const scope = new Map(this.scope);
      scope.set("D", (x) => network.call(x, parameters));
      const interpreter = new Interpreter(scope, { attached: true });
      lookAhead(() => body.forEach((statement) => interpreter.execute(statement)));
      const total = terms.map((term) => scope.get(term)).reduce((one, other) => add(one, other));
      const slopes = gradientsOf(total, parameters, true);
      parameters = parameters.map((parameter, index) =>
        subtract(parameter, multiply(rates[index], slopes[index])));
    }
    return (x) => network.call(x, parameters);
  }

  /** The names of the terms that the updates of a round minimize, before any of them has run. */
  terms() {
    const updates = this.statements.filter((statement) =>
      statement.kind === "do" && statement.value.callee.value === "gradients");
    return [...new Set(updates.flatMap(({ value }) => value.args.slice(1).map((term) => term.value)))];
  }

  /** The lines of the last update of a network that depend on D's weights, and its terms. */
  lastUpdate(name) {
    let body = [], found = null;
    for (const statement of this.statements) {
      const callee = statement.kind === "do" ? statement.value.callee.value : "";
      if (statement.kind === "comment") body = [];
      else if (callee === "gradients" && statement.value.args[0].value === name) {
        found = { body, terms: statement.value.args.slice(1).map((argument) => argument.value) };
      } else if (statement.kind === "with") body.push(...statement.body);
      else if (statement.kind === "assign" && statement.names[0] !== "D") body.push(statement);
    }
    const changed = new Set(["D"]);
    const depends = (statement) => {
      const reads = [...namesIn(statement.value)].some((word) => changed.has(word));
      if (reads) statement.names.forEach((word) => changed.add(word));
      return reads;
    };
    return { body: found.body.filter(depends), terms: found.terms };
  }

  // ------------------------------------------------------------------------- measurements

  /** A pass without a graph; the result is a copy. */
  ask(name, points, columns) {
    const mark = arena.mark();
    const found = withoutGraph(() => {
      const x = new Tensor(points.length / columns, columns, points);
      return this.networks[name].call(x).data.slice();
    });
    arena.release(mark);
    return found;
  }

  fakes(count = COUNTED) {
    return this.ask("G", this.latents.data.subarray(0, count * this.settings.latent), this.settings.latent);
  }

  scores(points) {
    return this.ask("D", points, 2);
  }

  /** The direction in which each fake would lower G's loss: minus its gradient at these points. */
  arrows(points) {
    const mark = arena.mark();
    const x = leaf(new Tensor(points.length / 2, 2, points));
    const scope = new Map(Object.entries(FUNCTIONS));
    scope.set("D", (v) => this.networks.D.call(v));
    const found = withGraph(() => {
      const real = new Tensor(x.rows, 2, this.sample.subarray(0, points.length));
      const { body, terms } = this.lastUpdate("G");
      // G's own lines, with these points for fakes, and data beside them
      scope.set("fake", x).set("x", real);
      const interpreter = new Interpreter(scope);
      for (const statement of body) interpreter.execute(statement);
      const total = terms.map((term) => scope.get(term)).reduce((one, other) => add(one, other));
      return scale(gradientsOf(total, [x])[0], -x.rows).data.slice();
    });
    arena.release(mark);
    return found;
  }

  measure() {
    const fakes = this.fakes();
    const found = { round: this.rounds, distance: NaN, hit: 0, near: 0, spread: 0 };
    if (fakes.every(Number.isFinite)) {
      found.distance = wasserstein(fakes.subarray(0, 2 * MEASURED), this.reference);
      if (this.data.modes.length) Object.assign(found, modesHit(fakes, this.data.modes, this.data.spread));
      found.centre = centre(fakes);
      found.spread = apart(fakes) / this.span;
      found.push = this.push(fakes);
      found.gap = this.gap(fakes);
    }
    this.history.measure(found);
    return found;
  }

  /** The mean length of the arrows at the fakes. */
  push(fakes) {
    const arrows = this.arrows(fakes.subarray(0, 2 * MEASURED));
    let total = 0;
    for (let i = 0; i < arrows.length; i += 2) total += Math.hypot(arrows[i], arrows[i + 1]);
    return total / MEASURED;
  }

  /** The probability that D scores a real point above a fake; 1/2 if it cannot distinguish them. */
  gap(fakes) {
    const real = this.scores(this.reference).sort(), fake = this.scores(fakes.subarray(0, 2 * MEASURED)).sort();
    let below = 0, same_ = 0, wins = 0;
    for (const score of real) {
      while (below < fake.length && fake[below] < score) below += 1;
      same_ = Math.max(same_, below);
      while (same_ < fake.length && fake[same_] === score) same_ += 1;
      wins += below + (same_ - below) / 2;
    }
    return wins / real.length / fake.length;
  }

  // --------------------------------------------------------------------------- snapshots

  snap() {
    this.snapshots.push({
      round: this.rounds,
      weights: Object.values(this.networks).map((network) => network.parameters.map((p) => p.data.slice())),
      optimizers: Object.values(this.optimizers).map((optimizer) => optimizer.state()),
    });
    if (this.snapshots.length > this.most) {
      this.every *= 2;
      this.snapshots = this.snapshots.filter((snapshot) => snapshot.round % this.every === 0);
    }
  }

  /** Go to the snapshot nearest to a round; later snapshots are kept. */
  rewind(round) {
    const found = this.snapshots.reduce((one, other) =>
      Math.abs(other.round - round) < Math.abs(one.round - round) ? other : one);
    Object.values(this.networks).forEach((network, i) =>
      network.parameters.forEach((parameter, j) => parameter.data.set(found.weights[i][j])));
    Object.values(this.optimizers).forEach((optimizer, i) => optimizer.load(found.optimizers[i]));
    this.rounds = found.round;
    this.statement = null;
    this.broken = "";
    return found.round;
  }

  /** Discard what is later: training continues from here. */
  forget() {
    this.snapshots = this.snapshots.filter((snapshot) => snapshot.round <= this.rounds);
    this.history.cut(this.rounds);
  }

  get last() {
    return Math.max(this.rounds, this.snapshots[this.snapshots.length - 1].round);
  }
}

/** The root mean square distance of points from their centre. */
function apart(points) {
  const [x, y] = centre(points);
  let total = 0;
  for (let i = 0; i < points.length; i += 2) total += (points[i] - x) ** 2 + (points[i + 1] - y) ** 2;
  return Math.sqrt((2 * total) / points.length);
}

function centre(points) {
  let x = 0, y = 0;
  for (let i = 0; i < points.length; i += 2) {
    x += points[i];
    y += points[i + 1];
  }
  return [(2 * x) / points.length, (2 * y) / points.length];
}

/** Curves: the loss terms of each round, and the measurements of every tenth. */
class History {
  constructor() {
    this.rounds = [];
    this.terms = {};
    this.measured = [];
  }

  add(round, losses) {
    this.cut(round - 1);
    this.rounds.push(round);
    for (const [name, value] of Object.entries(losses)) {
      (this.terms[name] = this.terms[name] || []).push(value);
    }
  }

  measure(found) {
    this.measured = this.measured.filter((other) => other.round < found.round);
    this.measured.push(found);
  }

  cut(round) {
    if (!this.rounds.length || this.rounds[this.rounds.length - 1] <= round) return;
    const length = this.rounds.findIndex((other) => other > round);
    this.rounds.length = length;
    for (const values of Object.values(this.terms)) values.length = length;
    this.measured = this.measured.filter((found) => found.round <= round);
  }
}
