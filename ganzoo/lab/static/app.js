// The page: what buttons, keys and addresses do, and what is drawn when.

const element = (id) => document.getElementById(id);
const PROGRAM = JSON.parse(element("program").textContent);
const LESSONS = JSON.parse(element("lessons").textContent);
const PALETTES = {
  light: { plane: "#ffffff", grid: "rgba(80,95,110,0.16)", data: "#1d4ed8", fake: "#c2410c", arrow: "#16202c", manifold: "rgba(109,40,217,0.55)",
    middle: [245, 246, 247], real: [127, 168, 232], false: [243, 162, 109], ink: "#16202c", soft: "#55606e", line: "#e3e8ee",
    series: ["#1d4ed8", "#c2410c", "#0f766e", "#7c3aed", "#a16207", "#be185d"] },
  dark: { plane: "#0e141c", grid: "rgba(180,195,210,0.14)", data: "#93c5fd", fake: "#fdba74", arrow: "#f1f5f9", manifold: "rgba(196,181,253,0.6)",
    middle: [26, 34, 44], real: [36, 80, 155], false: [138, 69, 22], ink: "#e6ebf1", soft: "#a3afbd", line: "#242e3a",
    series: ["#93c5fd", "#fdba74", "#5eead4", "#c4b5fd", "#fde047", "#f9a8d4"] },
};
const BUDGET = [40, 120]; // milliseconds of rounds per frame: twice what drawing takes, within these bounds
const CURVES_EVERY = 4; // frames: curves and texts need not change in every one

const shown = { data: true, fakes: true, surface: true, arrows: true, manifold: false };
const picture = new Picture(element("plane"));
const curves = { losses: new Curves(element("losses")), distance: new Curves(element("distance")) };
const listing = new Listing(element("listing"), element("tip"));
let game = null, settings = null, ghost = [], playing = false, lesson = 0, theme = "light", said = "";
let frames = [], frameNumber = 0, drawingTakes = 0, applied = "";

// ------------------------------------------------------------------------- the address

/** The window whose address has the settings: in the demo it is that of the page. */
function place() {
  try {
    return window.parent !== window ? window.parent : window;
  } catch {
    return window;
  }
}

function readAddress() {
  try {
    const text = place().location.hash.replace(/^#/, "");
    return place() === window ? text : text.startsWith("lab?") ? text.slice(4) : "";
  } catch {
    return "";
  }
}

function addressText() {
  const text = addressOf(settings, PROGRAM) + (lesson ? `&lesson=${lesson}` : "");
  return place() === window ? text : `lab?${text}`;
}

function writeAddress() {
  try {
    place().history.replaceState(null, "", `#${addressText()}`);
  } catch {
    // a sandboxed frame has no address to write
  }
}

async function share() {
  let link = "";
  try {
    link = place().location.href.split("#")[0] + `#${addressText()}`;
    await navigator.clipboard.writeText(link);
    announce("Link copied.");
    element("share").textContent = "Copied";
  } catch {
    window.prompt("The link to these settings:", link);
  }
  setTimeout(() => (element("share").textContent = "Copy link"), 1500);
}

function announce(text) {
  element("said").textContent = text;
}

// ---------------------------------------------------------------------------- the game

function begin(wanted, { keep = false, remedy = "" } = {}) {
  applied = remedy;
  ghost = keep && game ? game.history.measured.slice() : [];
  settings = wanted;
  game = new Game(settings, PROGRAM);
  listing.game = game;
  listing.load(game.text);
  listing.light(null);
  element("plane").classList.toggle("drawing", settings.data === "drawn");
  element("hint").hidden = settings.data !== "drawn" || settings.points.length > 0;
  said = "";
  fillSettings();
  writeTerms();
  writeAddress();
  markPreset();
  drawAll();
}

function play(on) {
  if (on === playing) return;
  playing = on;
  element("play").textContent = on ? "Pause" : "Play";
  if (!on) return drawAll();
  game.forget();
  frames = [];
  requestAnimationFrame(frame);
}

function frame() {
  if (!playing) return;
  const began = performance.now(), most = Number(element("speed").value);
  const budget = Math.min(BUDGET[1], Math.max(BUDGET[0], 2 * drawingTakes));
  let done = 0;
  do {
    game.round();
    done += 1;
  } while (done < most && performance.now() - began < budget && !game.broken);
  frames.push([began, done]);
  if (frames.length > 40) frames.shift();
  if (game.broken) return play(false);
  const drawn = performance.now();
  drawAll(true);
  drawingTakes += 0.2 * (performance.now() - drawn - drawingTakes);
  requestAnimationFrame(frame);
}

/** Rounds per second, over the last frames. */
function rate() {
  if (frames.length < 2) return 0;
  const span = performance.now() - frames[0][0];
  return (frames.reduce((total, [, done]) => total + done, 0) / span) * 1000;
}

function step(kind) {
  play(false);
  game.forget();
  game[kind]();
  drawAll();
}

// ------------------------------------------------------------------------------ drawing

function drawAll(quick = false) {
  const colours = PALETTES[theme];
  picture.draw(game, shown, colours, quick);
  listing.light(game.statement ? game.statement.line : null);
  const slider = element("rewind");
  slider.max = game.last;
  slider.value = game.rounds;
  element("now").textContent = game.rounds + (playing && rate() ? `, ${Math.round(rate())} per second` : "");
  if (quick && frameNumber++ % CURVES_EVERY) return;
  const options = { last: Math.max(game.last, 20), now: game.rounds, colours };
  const measured = (looks) => looks.map((look) => [look.round, look.distance]);
  curves.distance.draw([
    { colour: colours.series[1], values: measured(ghost).filter(([round]) => round <= options.last), faint: true },
    { colour: colours.series[1], values: measured(game.history.measured) },
  ], { ...options, from: 0, level: game.floor });
  const begun = Object.keys(game.history.terms), names = begun.length ? begun : game.terms();
  curves.losses.draw(names.map((name, i) => ({
    colour: colours.series[i % colours.series.length],
    values: thinned(game.history.rounds, game.history.terms[name] || []),
  })), options);
  writeLegend(names, colours);
  writeNumbers();
  writeDoctor();
  if (!quick || element("values-box").open) writeValues();
}

function writeLegend(names, colours) {
  const at = game.history.rounds.indexOf(game.rounds);
  element("legend").replaceChildren(...names.map((name, i) => {
    const item = document.createElement("li"), line = document.createElement("i");
    line.style.color = colours.series[i % colours.series.length];
    const value = (game.history.terms[name] || [])[at];
    item.append(line, `${name} ${value === undefined ? "" : short(value)}`);
    return item;
  }));
}

/** The last measurement at or before the round that is shown. */
function looked() {
  const found = game.history.measured.filter((look) => look.round <= game.rounds);
  return found[found.length - 1] || game.history.measured[0];
}

function writeNumbers() {
  const now = looked();
  const rows = [["distance", short(now.distance)], ["distance of data to data", short(game.floor)]];
  if (now.of) rows.push(["modes hit", `${now.hit} of ${now.of}`], ["fakes near a mode", percent(now.near)]);
  rows.push(["real ranked above fakes", percent(now.gap)]);
  element("numbers").replaceChildren(...rows.map(([name, value]) => {
    const cell = document.createElement("div"), number = document.createElement("b");
    number.textContent = value;
    cell.dataset.number = name;
    cell.append(number, name);
    return cell;
  }));
  element("distance-text").textContent = "Exact Wasserstein-1 distance: how far 128 fakes must move on average to become 128 data points. "
    + `Dashed: between two samples of the data.${ghost.length ? " Pale: the run before." : ""}`;
}

function writeDoctor() {
  const { kind, title, text, remedies } = diagnose(game);
  const whole = `${kind}${title}${remedies}`;
  if (element("reason").textContent !== text && (whole !== said || !playing || game.rounds % 50 < 5)) element("reason").textContent = text;
  if (whole === said) return;
  said = whole;
  // a remedy says how it works as long as it acts
  element("applied").hidden = !applied;
  if (applied) element("applied").textContent = `Applied: ${REMEDIES[applied].label}. It ${REMEDIES[applied].why}.`;
  element("doctor").className = `card doctor ${kind}`;
  element("verdict").textContent = title;
  element("reason").textContent = text;
  element("remedies").replaceChildren(...remedies.map((name) => {
    const row = document.createElement("div"), button = document.createElement("button"), why = document.createElement("span");
    button.type = "button";
    button.dataset.remedy = name;
    button.textContent = REMEDIES[name].label;
    button.addEventListener("click", () => cure(name));
    why.textContent = REMEDIES[name].why;
    row.append(button, why);
    return row;
  }));
}

function cure(name) {
  const found = remedied(settings, name);
  if (!found) return;
  if (!lossOf(PROGRAM, found).with[found.add]) found.add = "none";
  begin(found, { keep: true, remedy: name });
  play(true);
  announce(`${REMEDIES[name].label}: training restarts.`);
  element("play").focus();
}

function writeTerms() {
  const { terms } = game.loss.with[settings.add], text = (player) => Object.values(terms[player]).join("  +  ");
  element("terms").textContent = `D minimizes ${text("D")}. G minimizes ${text("G")}.`;
}

function writeValues() {
  element("values").replaceChildren(...valuesOf(game).flatMap(([name, text]) => {
    const term = document.createElement("dt"), meaning = document.createElement("dd");
    term.textContent = name;
    meaning.textContent = text;
    return [term, meaning];
  }));
}

function markPreset() {
  const now = addressOf(settings, PROGRAM);
  for (const button of element("presets").children) {
    button.setAttribute("aria-pressed", String(addressOf(settingsFrom(button.dataset.settings, PROGRAM), PROGRAM) === now));
  }
}

// ----------------------------------------------------------------------------- settings

const RATES = [0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
const FIELDS = [
  { key: "data", label: "Data", wide: "wide", options: () => Object.entries(DATA).map(([key, { title }]) => [key, title]) },
  { key: "loss", label: "Loss", wide: "on-phone", options: () => PROGRAM.losses.map(({ name }) => [name, name]) },
  { key: "add", label: "Added penalty", options: () => {
    const names = { none: "none", gp: "gradient penalty", r1r2: "R1 + R2" };
    return Object.keys(game.loss.with).map((key) => [key, names[key]]);
  } },
  { key: "numbers" },
  { key: "repeat", label: "D updates per round", options: () => [1, 2, 3, 5, 10, 20] },
  { key: "unroll", label: "Unrolled steps", options: () => [0, 1, 3, 5, 10] },
  { key: "lrd", label: "Learning rate of D", options: () => RATES },
  { key: "lrg", label: "Learning rate of G", options: () => RATES },
  { key: "opt", label: "Optimizer", options: () => [["own", "as the loss has"], "adam", "rmsprop", "sgd"] },
  { key: "clip", label: "Clip D's weights", options: () => [[0, "no"], 0.01, 0.1, 1] },
  { key: "width", label: "Width", options: () => [4, 8, 16, 32, 64, 128] },
  { key: "depth", label: "Hidden layers", options: () => [1, 2, 3, 4] },
  { key: "act", label: "Activation", options: () => [["leaky_relu", "leaky ReLU"], ["relu", "ReLU"], "tanh"] },
  { key: "latent", label: "Latent size", options: () => [1, 2, 4, 8, 16] },
  { key: "batch", label: "Batch size", options: () => [32, 64, 128, 256, 512] },
  { key: "seed", label: "Seed" },
];

function fillSettings() {
  const fields = [];
  for (const field of FIELDS) {
    if (field.key === "numbers") {
      for (const [name, usual] of Object.entries(game.loss.with[settings.add].numbers)) {
        const value = settings.numbers[name] === undefined ? usual : settings.numbers[name];
        fields.push(numberField(`n-${name}`, name, value, (text) => ({ numbers: { ...settings.numbers, [name]: text } }), 1000));
      }
    } else if (field.key === "seed") {
      fields.push(numberField("seed", field.label, settings.seed, (value) => ({ seed: Math.round(value) }), 999999));
    } else {
      fields.push(menu(field));
    }
  }
  const focused = document.activeElement && document.activeElement.id;
  element("fields").replaceChildren(...fields);
  if (focused && focused.startsWith("set-") && element(focused)) element(focused).focus();
}

function labelled(text, control, wide) {
  const label = document.createElement("label");
  if (wide) label.className = wide;
  label.append(text, control);
  return label;
}

function menu({ key, label, options, wide }) {
  const select = document.createElement("select");
  select.id = `set-${key}`;
  const pairs = options().map((option) => (Array.isArray(option) ? option : [option, String(option)]));
  if (!pairs.some(([value]) => value === settings[key])) pairs.push([settings[key], String(settings[key])]);
  for (const [value, text] of pairs) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = text;
    option.selected = value === settings[key];
    select.append(option);
  }
  select.addEventListener("change", () => {
    const value = typeof settings[key] === "number" ? Number(select.value) : select.value;
    change({ [key]: value });
  });
  return labelled(label, select, wide);
}

function numberField(key, label, value, made, most) {
  const input = document.createElement("input");
  Object.assign(input, { type: "number", id: `set-${key}`, min: 0, max: most, step: "any", value });
  input.addEventListener("change", () => {
    const given = Number(input.value);
    if (input.value !== "" && given >= 0 && given <= most) change(made(given));
    else input.value = value;
  });
  return labelled(label, input);
}

function change(some) {
  const wanted = { ...settings, ...some };
  if (some.loss) {
    const usual = defaults(PROGRAM, some.loss);
    Object.assign(wanted, { repeat: usual.repeat, clip: usual.clip, numbers: {} });
    if (!lossOf(PROGRAM, wanted).with[wanted.add]) wanted.add = "none";
  }
  const was = playing;
  play(false);
  begin(wanted, { keep: true });
  if (was) play(true);
}

// ------------------------------------------------------------------------------ lessons

function openLesson(number, { start = true } = {}) {
  lesson = number;
  element("lesson").value = String(number);
  element("words").hidden = !number;
  if (!number) return writeAddress();
  const { title, paragraphs, attempt } = LESSONS[number - 1];
  element("lesson-title").textContent = `${number}. ${title}`;
  element("lesson-text").replaceChildren(...paragraphs.map((text) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    return paragraph;
  }));
  element("lesson-try").textContent = attempt;
  element("lesson-before").disabled = number === 1;
  element("lesson-next").disabled = number === LESSONS.length;
  if (start) {
    play(false);
    begin(settingsFrom(LESSONS[number - 1].settings, PROGRAM));
  }
}

// -------------------------------------------------------------------------------- setup

function setTheme(name) {
  theme = name;
  document.documentElement.dataset.theme = name;
  element("theme").setAttribute("aria-pressed", String(name === "dark"));
  if (game) drawAll();
}

function firstTheme() {
  try {
    const { body } = place().document;
    if (place() !== window) return body.classList.contains("dark") ? "dark" : "light";
  } catch {
    // this page is in a frame of another site
  }
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function setUp() {
  for (const { name, settings: text } of PRESETS) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: name });
    button.dataset.settings = text;
    button.addEventListener("click", () => {
      play(false);
      openLesson(0);
      begin(settingsFrom(text, PROGRAM));
      play(true);
    });
    element("presets").append(button);
  }
  const choice = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  element("lesson").append(choice("0", "none"), ...LESSONS.map(({ title }, i) => choice(String(i + 1), `${i + 1}. ${title}`)));
  const left = Object.entries(PROGRAM.left_out).map(([name, why]) => `${name}: ${why}`);
  element("left-out").textContent = left.length ? `Losses not available here: ${left.join("; ")}.` : "";
  element("play").addEventListener("click", () => play(!playing));
  for (const kind of ["round", "update", "line"]) element(kind).addEventListener("click", () => step(kind));
  element("restart").addEventListener("click", restart);
  element("share").addEventListener("click", share);
  element("theme").addEventListener("click", () => setTheme(theme === "dark" ? "light" : "dark"));
  element("lesson").addEventListener("change", (event) => openLesson(Number(event.target.value)));
  element("lesson-before").addEventListener("click", () => openLesson(lesson - 1));
  element("lesson-next").addEventListener("click", () => openLesson(lesson + 1));
  element("lesson-close").addEventListener("click", () => openLesson(0));
  element("values-box").addEventListener("toggle", writeValues);
  element("settings").addEventListener("submit", (event) => event.preventDefault());
  element("rewind").addEventListener("input", (event) => {
    play(false);
    game.rewind(Number(event.target.value));
    drawAll();
  });
  for (const box of document.querySelectorAll("[data-layer]")) {
    box.addEventListener("change", () => {
      shown[box.dataset.layer] = box.checked;
      drawAll();
    });
  }
  drawByHand(element("plane"));
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", () => drawAll());
  window.addEventListener("hashchange", () => openAddress());
  setTheme(firstTheme());
  openAddress();
  fillFrame();
}

/** In the demo the frame is as high as its content, so that only the page scrolls. */
function fillFrame() {
  try {
    const frame_ = window.frameElement;
    if (!frame_) return;
    document.documentElement.classList.add("framed");
    new ResizeObserver(() => {
      frame_.style.height = `${document.body.offsetHeight}px`;
    }).observe(document.body);
  } catch {
    // a frame of another site keeps its height
  }
}

function restart() {
  play(false);
  begin({ ...settings });
}

function openAddress() {
  const text = readAddress(), number = Number(new URLSearchParams(text).get("lesson"));
  const known = Number.isInteger(number) && number >= 1 && number <= LESSONS.length ? number : 0;
  play(false);
  const own = new URLSearchParams(text);
  own.delete("lesson");
  // the address of a lesson may be only its number
  if (known && ![...own.keys()].length) return openLesson(known);
  begin(settingsFrom(text, PROGRAM));
  openLesson(known, { start: false });
  if (known) writeAddress();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { tagName } = event.target;
  if (["INPUT", "SELECT", "TEXTAREA"].includes(tagName)) return;
  if (event.key === " " && ["BUTTON", "SUMMARY"].includes(tagName)) return;
  const found = { " ": () => play(!playing), r: () => step("round"), u: () => step("update"), l: () => step("line"), 0: restart }[event.key];
  if (!found) return;
  event.preventDefault();
  found();
}

function drawByHand(canvas) {
  let last = null;
  const take = (event) => {
    const [x, y] = picture.place(event);
    if (last && Math.hypot(x - last[0], y - last[1]) < 0.05) return;
    if (Math.max(Math.abs(x), Math.abs(y)) > 1.5 || settings.points.length >= MOST_POINTS) return;
    last = [x, y];
    settings.points = [...settings.points, last];
    begin(settings);
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (settings.data !== "drawn") return;
    play(false);
    canvas.setPointerCapture(event.pointerId);
    take(event);
  });
  canvas.addEventListener("pointermove", (event) => last && take(event));
  for (const over of ["pointerup", "pointercancel"]) canvas.addEventListener(over, () => (last = null));
}

setUp();
