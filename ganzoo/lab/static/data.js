// The data: points in the plane. Each kind has its modes, or draws one point at a time.

/** The standard deviation of a mode. */
const SPREAD = 0.05;

function ringModes(count = 8) {
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * i) / count;
    return [Math.cos(angle), Math.sin(angle)];
  });
}

function gridModes(side = 5) {
  const at = (i) => (2 * i) / (side - 1) - 1;
  return Array.from({ length: side * side }, (_, i) => [at(i % side), at(Math.floor(i / side))]);
}

const DATA = {
  one: { title: "One Gaussian", modes: () => [[0.8, 0.6]], spread: 0.1 },
  ring: { title: "Ring of 8 Gaussians", modes: () => ringModes() },
  grid: { title: "Grid of 25 Gaussians", modes: () => gridModes() },
  spiral: {
    title: "Spiral",
    point(chance) {
      const t = Math.sqrt(0.04 + 0.96 * chance.uniform());
      const angle = 3.2 * Math.PI * t;
      return [t * Math.cos(angle), t * Math.sin(angle)];
    },
    spread: 0.03,
  },
  drawn: { title: "Points that you draw", spread: 0.03 },
};

class Data {
  /** points: those drawn by hand, for kind "drawn". */
  constructor(kind, points = []) {
    this.kind = kind;
    this.modes = DATA[kind].modes ? DATA[kind].modes() : [];
    this.spread = DATA[kind].spread || SPREAD;
    this.points = kind === "drawn" ? (points.length ? points : [[0, 0]]) : this.modes;
  }

  /** `count` points as one flat array, x before y. */
  draw(count, chance) {
    const found = new Float64Array(2 * count);
    for (let i = 0; i < count; i++) {
      const [x, y] = this.points.length
        ? this.points[chance.whole(this.points.length)]
        : DATA[this.kind].point(chance);
      found[2 * i] = x + this.spread * chance.normal();
      found[2 * i + 1] = y + this.spread * chance.normal();
    }
    return found;
  }
}
