// The Python of the round: the next line is highlighted, and names show their values.

const PIECE = /(#.*$)|('[^']*')|(\d[\d.]*(?:e[+-]?\d+)?)|([A-Za-z_]\w*)|([^A-Za-z_\d'#]+)/g;
const KEYWORDS = new Set(["def", "for", "in", "with", "range"]);

class Listing {
  constructor(place, tip) {
    this.place = place;
    this.tip = tip;
    place.addEventListener("mouseover", (event) => this.show(event));
    place.addEventListener("mouseleave", () => (tip.hidden = true));
  }

  load(text) {
    this.lines = text.trimEnd().split("\n").map((line) => {
      const row = document.createElement("div");
      row.className = "row";
      for (const [piece, comment, string, number, name] of line.matchAll(PIECE)) {
        const span = document.createElement("span");
        span.textContent = piece;
        if (comment) span.className = "comment";
        else if (string) span.className = "string";
        else if (number) span.className = "number";
        else if (name && KEYWORDS.has(name)) span.className = "keyword";
        else if (name) {
          span.className = "name";
          span.dataset.name = name;
        }
        row.append(span);
      }
      return row;
    });
    this.place.replaceChildren(...this.lines);
    this.lit = null;
  }

  light(line) {
    if (this.lit === line) return;
    if (this.lit !== null && this.lines[this.lit]) {
      this.lines[this.lit].classList.remove("lit");
      this.lines[this.lit].removeAttribute("aria-current");
    }
    this.lit = line;
    if (line !== null && this.lines[line]) {
      this.lines[line].classList.add("lit");
      this.lines[line].setAttribute("aria-current", "step");
    }
  }

  show(event) {
    const name = event.target.dataset && event.target.dataset.name;
    const text = name && this.game ? described(this.game, name) : "";
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = `${name}: ${text}`;
    const box = event.target.getBoundingClientRect(), room = this.place.parentElement.getBoundingClientRect();
    this.tip.style.left = `${Math.min(box.left - room.left, Math.max(0, room.width - 300))}px`;
    this.tip.style.top = `${box.bottom - room.top + 4}px`;
  }
}

/** The current value of a name in words; "" if it has none yet. */
function described(game, name) {
  if (game.networks[name]) {
    const network = game.networks[name];
    const norm = Math.sqrt(network.parameters.reduce((total, p) => p.data.reduce((one, v) => one + v * v, total), 0));
    return `network, ${network.inputs} \u2192 ${network.outputs}, ${network.size} weights of norm ${short(norm)}`;
  }
  const value = game.scope.get(name);
  if (typeof value === "number") return String(value);
  if (!(value instanceof Tensor)) return "";
  if (value.data.length === 1) return short(value.item());
  let low = Infinity, high = -Infinity, total = 0;
  for (const v of value.data) {
    low = Math.min(low, v);
    high = Math.max(high, v);
    total += v;
  }
  const first = [...value.data.slice(0, value.columns)].map(short).join(", ");
  return `${value.rows} \u00d7 ${value.columns}, mean ${short(total / value.data.length)}, ${short(low)} to ${short(high)}; first (${first})`;
}

/** The values computed so far in this round: names and descriptions. */
function valuesOf(game) {
  return [...game.scope.keys()]
    .filter((name) => !(name in FUNCTIONS) && !game.networks[name] && name !== "True")
    .map((name) => [name, described(game, name)])
    .filter(([, text]) => text);
}
