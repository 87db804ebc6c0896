// The page: a section for each task, and what it does when it is asked.

const facts = JSON.parse(document.getElementById("facts").textContent);
const sessions = new Map();
const MOST = 256; // samples at once

// A part of the page that is kept gzipped, in base64.
async function unpacked(id) {
  const text = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function started() {
  const code = new TextDecoder().decode(await unpacked("runtime-code"));
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(url);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = await unpacked("runtime-wasm");
  return ort;
}
const runtime = started();

async function session(task) {
  if (!sessions.has(task)) {
    const made = Promise.all([runtime, unpacked(`task-${task}`)]).then(([ort, model]) =>
      ort.InferenceSession.create(model, { executionProviders: ["wasm"] }));
    sessions.set(task, made);
  }
  return sessions.get(task);
}

// What a task gives for values by name; inputs that are drawn come from the seed.
async function run(name, given, count, seed = 0) {
  const task = facts.tasks[name];
  const ort = await runtime;
  const feeds = {};
  for (const input of task.inputs) {
    const dims = input.shape.map((side) => (side === "batch" ? count : side));
    let value = given[input.name];
    if (value === undefined) {
      if (input.kind === "number") value = input.default;
      else if (input.drawn) value = drawn(input, count, seed);
      else throw new Error(`${name} needs ${input.name}`);
    }
    const whole = input.dtype === "int64";
    if (input.kind === "number") value = Float32Array.of(value);
    else if (whole && !(value instanceof BigInt64Array)) value = BigInt64Array.from(value, BigInt);
    feeds[input.name] = new ort.Tensor(input.dtype, value, dims);
  }
  return (await session(name)).run(feeds);
}

// Samples of a seed: {dims, data} in [0, 1]. `given` has classes, texts and numbers by name.
async function generate({ task, count = 1, seed = 0, given = {} } = {}) {
  const name = task ?? Object.keys(facts.tasks).find((key) => facts.tasks[key].kind === "generate");
  const { images } = await run(name, given, count, seed);
  return { dims: images.dims, data: images.data };
}

// A picture file as a task takes it.
function seen(name, file) {
  const task = facts.tasks[name];
  const input = task.inputs.find((one) => one.kind === "image");
  return prepared(file, input.shape.slice(1), task.preprocessing);
}

// What a task makes of a picture file.
async function asked(name, file, seed = 0) {
  const input = facts.tasks[name].inputs.find((one) => one.kind === "image");
  return run(name, { [input.name]: await seen(name, file) }, 1, seed);
}

// ------------------------------------------------------------------------------- drawing

// Images (n, c, h, w) in [0, 1] on a canvas, `columns` in a row.
function shown(canvas, { dims, data }, columns) {
  const [count, channels, height, width] = dims;
  const rows = Math.ceil(count / columns);
  canvas.width = columns * width;
  canvas.height = rows * height;
  const zoom = Math.max(1, Math.floor(Math.min(640 / canvas.width, 320 / height)));
  canvas.style.width = `${canvas.width * zoom}px`;
  const context = canvas.getContext("2d");
  const plane = height * width;
  for (let image = 0; image < count; image++) {
    const pixels = new ImageData(width, height);
    for (let pixel = 0; pixel < plane; pixel++) {
      const at = (channel) => roundEven(255 * data[(image * channels + channel) * plane + pixel]);
      for (let colour = 0; colour < 3; colour++) {
        pixels.data[4 * pixel + colour] = at(channels === 1 ? 0 : colour);
      }
      pixels.data[4 * pixel + 3] = channels === 4 ? at(3) : 255;
    }
    const [column, row] = [image % columns, Math.floor(image / columns)];
    context.putImageData(pixels, column * width, row * height);
  }
}

// A heat map (1, h, w): what is half of the range off glows in full.
function heat(canvas, { dims, data }) {
  const [, height, width] = dims;
  const planes = new Float32Array(3 * height * width);
  data.forEach((value, pixel) => {
    const strange = Math.min(1, value);
    [Math.min(1, 2 * strange), Math.max(0, 2 * strange - 1), 0].forEach((level, colour) => {
      planes[colour * height * width + pixel] = level;
    });
  });
  shown(canvas, { dims: [1, 3, height, width], data: planes }, 1);
}

function element(tag, facts = {}, ...children) {
  const made = Object.assign(document.createElement(tag), facts);
  made.append(...children);
  return made;
}

function labelled(text, control) {
  return element("label", {}, text, control);
}

function number(value, more = {}) {
  return element("input", { type: "number", value, ...more });
}

// Run `work`, and say what went wrong in `answer`; what is asked meanwhile waits its turn.
let turn = Promise.resolve();
function doing(answer, work) {
  turn = turn.then(work).catch((error) => {
    answer.textContent = `This did not work: ${error.message ?? error}`;
  });
  return turn;
}

// ------------------------------------------------------------------------------ sections

// Controls for the inputs of a task that people choose: {nodes, given(count)}.
function choices(task) {
  const made = [];
  for (const input of task.inputs) {
    if (input.kind === "label" || input.kind === "categorical") {
      const select = element("select");
      select.append(element("option", { value: "each", textContent: "each in turn" }));
      if (input.kind === "categorical") {
        select.append(element("option", { value: "", textContent: "drawn" }));
        select.value = "";
      }
      for (let label = 0; label < input.classes; label++) {
        const textContent = input.names?.[label] ?? String(label);
        select.append(element("option", { value: label, textContent }));
      }
      const value = (count) => (select.value === "" ? undefined
        : Array.from({ length: count }, (_, row) =>
          select.value === "each" ? row % input.classes : Number(select.value)));
      made.push([input.name, "class", select, value]);
    } else if (input.kind === "number") {
      const control = number(input.default, { step: "any" });
      made.push([input.name, "number", control, () => Number(control.value)]);
    } else if (input.examples?.length) {
      const select = element("select");
      select.append(element("option", { value: "each", textContent: "each in turn" }));
      input.examples.forEach(({ text }, index) =>
        select.append(element("option", { value: index, textContent: text })));
      const value = (count) => Float32Array.from(
        Array.from({ length: count }, (_, row) =>
          input.examples[select.value === "each" ? row % input.examples.length : select.value].rows
        ).flat());
      made.push([input.name, "sentence", select, value]);
    }
  }
  // names of a formula are shown only where there are several of a kind
  const word = (name, kind) =>
    kind !== "number" && made.filter((one) => one[1] === kind).length === 1 ? kind : name;
  return {
    nodes: made.map(([name, kind, control]) => labelled(word(name, kind), control)),
    given: (count) => Object.fromEntries(
      made.map(([name, , , value]) => [name, value(count)]).filter(([, value]) => value !== undefined)),
  };
}

function generating(name, task) {
  const chosen = choices(task);
  const seed = number(0, { step: 1, name: "seed" });
  const count = number(16, { min: 1, max: MOST, name: "count" });
  const button = element("button", { textContent: "Draw" });
  const canvas = element("canvas", { role: "img", ariaLabel: "samples" });
  const answer = element("p", { className: "answer", role: "status" });
  const draw = () => doing(answer, async () => {
    const many = Math.min(MOST, Math.max(1, Math.trunc(count.value)));
    const given = chosen.given(many);
    shown(canvas, await generate({ task: name, count: many, seed: seed.value, given }), Math.min(8, many));
    answer.textContent = "";
  });
  button.onclick = draw;
  const parts = [
    element("div", { className: "controls" }, labelled("seed", seed), labelled("samples", count),
      ...chosen.nodes, button),
    canvas, answer,
  ];
  const between = task.inputs.filter((input) => ["normal", "uniform"].includes(input.kind));
  if (between.length) parts.push(...interpolating(name, task, chosen, between));
  draw();
  return parts;
}

// The way from a seed to another, as ganzoo.models.latents: along the sphere for normal noise, with
// lengths in between too, and straight for uniform noise.
function onTheWay(input, a, b, share) {
  const [start, end] = [drawn(input, 1, a), drawn(input, 1, b)];
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  let [from, to] = [1 - share, share];
  if (input.kind === "normal") {
    const [first, second] = [Math.sqrt(dot(start, start)) + 1e-9, Math.sqrt(dot(end, end)) + 1e-9];
    const cosine = dot(start, end) / first / second;
    const angle = Math.acos(Math.min(1 - 1e-6, Math.max(1e-6 - 1, cosine)));
    const length = ((1 - share) * first + share * second) / Math.sin(angle);
    from = (Math.sin((1 - share) * angle) * length) / first;
    to = (Math.sin(share * angle) * length) / second;
  }
  return start.map((value, index) => from * value + to * end[index]);
}

async function between(name, noise, a, b, share, given) {
  const values = Object.fromEntries(noise.map((input) => [input.name, onTheWay(input, a, b, share)]));
  const { images } = await run(name, { ...given, ...values }, 1, a);
  return { dims: images.dims, data: images.data };
}

function interpolating(name, task, chosen, noise) {
  const [a, b] = [number(0, { step: 1 }), number(1, { step: 1 })];
  const share = element("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.5 });
  const canvas = element("canvas", { role: "img", ariaLabel: "between two seeds" });
  const answer = element("p", { className: "answer", role: "status" });
  let due = false; // a slider tells more places than can be drawn
  const draw = () => {
    if (due) return;
    due = true;
    doing(answer, async () => {
      due = false;
      shown(canvas, await between(name, noise, a.value, b.value, Number(share.value), chosen.given(1)), 1);
    });
  };
  [a, b, share].forEach((control) => (control.oninput = draw));
  draw();
  return [
    element("h2", { textContent: "Between two seeds" }),
    element("div", { className: "controls" }, labelled("from seed", a), labelled("to seed", b),
      labelled("place on the way", share)),
    canvas, answer,
  ];
}

const WORDS = {
  score: "How strange is a picture?", reconstruct: "Encode and decode a picture",
  translate: "Translate a picture", classify: "What is in a picture?", encode: "The code of a picture",
};

function looking(name, task) {
  const input = element("input", { type: "file", accept: "image/*" });
  const drop = element("div", { className: "drop" }, "Drop a picture here, or choose one: ", input);
  const before = element("canvas", { role: "img", ariaLabel: "the picture as the model sees it" });
  const after = element("canvas", { role: "img", ariaLabel: "the answer" });
  const answer = element("p", { className: "answer", role: "status" });
  const take = (file) => file && doing(answer, async () => {
    const image = task.inputs.find((one) => one.kind === "image");
    const data = await seen(name, file);
    shown(before, { dims: [1, ...image.shape.slice(1)], data }, 1);
    const found = await run(name, { [image.name]: data }, 1);
    answer.textContent = said(task, found);
    if (found.images) shown(after, found.images, 1);
    if (found.maps) heat(after, found.maps);
  });
  input.onchange = () => take(input.files[0]);
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  };
  return [drop, element("div", { className: "controls" }, before, after), answer];
}

// The answer to a picture, in words.
function said(task, found) {
  if (found.scores) {
    const threshold = task.outputs.find((one) => one.name === "is_anomaly")?.threshold;
    const score = found.scores.data[0].toPrecision(4);
    if (threshold === undefined) return `score ${score}; higher is stranger`;
    const verdict = found.is_anomaly.data[0] ? "strange" : "normal";
    return `${verdict}: score ${score}, threshold ${threshold.toPrecision(4)}`;
  }
  if (found.probabilities) {
    const names = task.outputs[0].names;
    return [...found.probabilities.data].map((share, index) => [share, names[index] ?? index])
      .sort((one, other) => other[0] - one[0]).slice(0, 3)
      .map(([share, label]) => `${label} ${(100 * share).toFixed(1)} %`).join(", ");
  }
  if (found.codes) return [...found.codes.data].map((value) => value.toFixed(3)).join(" ");
  return "";
}

function section(name, task) {
  const wanted = task.inputs.filter((input) => input.kind !== "number" && !input.drawn);
  if (task.kind === "generate") {
    if (wanted.some((input) => input.kind !== "label" && !input.examples?.length)) return;
    const parts = element("section", { id: `section-${name}` }, element("h2", { textContent: "Draw samples" }));
    parts.append(...generating(name, task));
    document.getElementById("tasks").append(parts);
  } else if (wanted.length === 1 && wanted[0].kind === "image" && WORDS[task.kind]) {
    const title = WORDS[task.kind] + (task.to ? `: to ${task.to}` : "");
    const parts = element("section", { id: `section-${name}` }, element("h2", { textContent: `${title} (${name})` }));
    parts.append(...looking(name, task));
    document.getElementById("tasks").append(parts);
  }
}

const state = document.getElementById("state");
const ready = runtime.then(() => {
  Object.entries(facts.tasks).forEach(([name, task]) => section(name, task));
  state.textContent = "Everything is computed on this machine; nothing is sent.";
  return turn;
}).catch((error) => {
  state.textContent = `The model cannot run in this browser: ${error.message ?? error}`;
  throw error;
});

// for those who want more than the page shows, in the console of the browser
globalThis.ganzoo = { ready, facts, run, generate, prepared, seen, asked, between, drawn, seedKey };
