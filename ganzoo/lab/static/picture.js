// The picture: data, fakes, the discriminator's surface, the generator's arrows and its manifold.

const VIEW = 1.6; // the plane from -VIEW to VIEW, both ways
const GRID = 52;

class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.stamps = new Map();
    this.surface = document.createElement("canvas");
    this.surface.width = this.surface.height = GRID;
    this.points = new Float64Array(2 * GRID * GRID);
    for (let i = 0, at = 0; i < GRID; i++) {
      for (let j = 0; j < GRID; j++) {
        this.points[at++] = (((j + 0.5) / GRID) * 2 - 1) * VIEW;
        this.points[at++] = (1 - ((i + 0.5) / GRID) * 2) * VIEW;
      }
    }
  }

  /** From the plane to pixels of the canvas. */
  at(x, y) {
    return [((x / VIEW + 1) / 2) * this.size, ((1 - y / VIEW) / 2) * this.size];
  }

  /** From a mouse or finger to the plane. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width * 2 - 1) * VIEW, (1 - (event.clientY - box.top) / box.height * 2) * VIEW];
  }

  fit() {
    const wide = Math.round(this.canvas.clientWidth * Math.min(2, window.devicePixelRatio || 1)) || 480;
    if (this.canvas.width !== wide) this.canvas.width = this.canvas.height = wide;
    this.size = wide;
  }

  /** `quick`: every other frame reuses the surface of the one before, which changes slowly. */
  draw(game, shown, colours, quick = false) {
    this.fit();
    this.stale = quick && !this.stale && this.drawn === game;
    this.drawn = game;
    const pen = this.canvas.getContext("2d"), unit = this.size / 480;
    pen.fillStyle = colours.plane;
    pen.fillRect(0, 0, this.size, this.size);
    if (shown.surface) this.drawSurface(pen, game, colours);
    this.axes(pen, colours, unit);
    const fakes = game.fakes();
    if (shown.manifold) this.drawManifold(pen, game, colours, unit);
    if (shown.data) this.dots(pen, game.data.kind === "drawn" && !game.settings.points.length ? [] : game.sample, colours.data, 1.9 * unit, 0.75);
    if (shown.fakes) this.dots(pen, fakes, colours.fake, 2.1 * unit, 0.85);
    if (shown.arrows) this.drawArrows(pen, game, fakes, colours, unit);
  }

  axes(pen, colours, unit) {
    pen.strokeStyle = colours.grid;
    pen.lineWidth = unit;
    pen.beginPath();
    for (const at of [-1, 0, 1]) {
      const [x] = this.at(at, 0), [, y] = this.at(0, at);
      pen.moveTo(x, 0);
      pen.lineTo(x, this.size);
      pen.moveTo(0, y);
      pen.lineTo(this.size, y);
    }
    pen.stroke();
  }

  dots(pen, points, colour, radius, alpha) {
    // a dot is drawn once and then copied: a path of hundreds of arcs takes ten times as long
    const stamp = this.stamp(colour, radius), half = stamp.width / 2, { size } = this;
    pen.globalAlpha = alpha;
    for (let i = 0; i < points.length; i += 2) {
      const x = ((points[i] / VIEW + 1) / 2) * size, y = ((1 - points[i + 1] / VIEW) / 2) * size;
      if (x > -half && y > -half && x < size + half && y < size + half) pen.drawImage(stamp, x - half, y - half);
    }
    pen.globalAlpha = 1;
  }

  /** A dot of this colour and size on its own canvas, cached. */
  stamp(colour, radius) {
    const key = `${colour} ${radius}`;
    if (!this.stamps.has(key)) {
      if (this.stamps.size > 20) this.stamps.clear(); // of earlier sizes and themes
      const made = document.createElement("canvas"), side = 2 * Math.ceil(radius + 1);
      made.width = made.height = side;
      const pen = made.getContext("2d");
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(side / 2, side / 2, radius, 0, 7);
      pen.fill();
      this.stamps.set(key, made);
    }
    return this.stamps.get(key);
  }

  drawSurface(pen, game, colours) {
    if (!this.stale) this.paintSurface(game, colours);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.surface, 0, 0, this.size, this.size);
  }

  /** D's output on a grid of points, one pixel each. */
  paintSurface(game, colours) {
    const scores = game.scores(this.points), n = scores.length;
    let scale;
    if (game.judgesByChance) {
      scale = (score) => 2 / (1 + Math.exp(-score)) - 1;
    } else {
      let low = Infinity, high = -Infinity;
      for (let i = 0; i < n; i++) {
        low = Math.min(low, scores[i]);
        high = Math.max(high, scores[i]);
      }
      const middle = (low + high) / 2, half = Math.max((high - low) / 2, 1e-9);
      scale = (score) => (score - middle) / half;
    }
    const brush = this.surface.getContext("2d"), image = brush.createImageData(GRID, GRID);
    for (let i = 0; i < n; i++) {
      const value = Math.max(-1, Math.min(1, scale(scores[i])));
      const to = value > 0 ? colours.real : colours.false, share = Math.sqrt(Math.abs(value));
      for (let c = 0; c < 3; c++) {
        image.data[4 * i + c] = colours.middle[c] + (to[c] - colours.middle[c]) * share;
      }
      image.data[4 * i + 3] = 255;
    }
    brush.putImageData(image, 0, 0);
  }

  drawManifold(pen, game, colours, unit) {
    const { latent } = game.settings, lines = 13, steps = 33, both = latent > 1;
    const at = (i, count) => (i / (count - 1)) * 4 - 2;
    pen.strokeStyle = colours.manifold;
    pen.lineWidth = 1.1 * unit;
    for (let way = 0; way < (both ? 2 : 1); way++) {
      const z = new Float64Array(lines * steps * latent);
      for (let i = 0, row = 0; i < lines; i++) {
        for (let j = 0; j < steps; j++, row += latent) {
          z[row + way] = at(j, steps);
          if (both) z[row + 1 - way] = at(i, lines);
        }
      }
      const found = game.ask("G", z, latent);
      pen.beginPath();
      for (let i = 0, p = 0; i < (both ? lines : 1); i++) {
        for (let j = 0; j < steps; j++, p += 2) {
          const [x, y] = this.at(found[p], found[p + 1]);
          if (j) pen.lineTo(x, y);
          else pen.moveTo(x, y);
        }
      }
      pen.stroke();
    }
  }

  /** The gradients at some of the fakes; lengths are compressed so that small ones are visible. */
  drawArrows(pen, game, fakes, colours, unit) {
    const some = fakes.subarray(0, 2 * 72), arrows = game.arrows(some);
    pen.strokeStyle = colours.arrow;
    pen.lineWidth = 1.5 * unit;
    pen.beginPath();
    for (let i = 0; i < some.length; i += 2) {
      const push = Math.hypot(arrows[i], arrows[i + 1]);
      if (!(push > 1e-12)) continue;
      const long = (44 * unit * push) / (push + 0.35);
      if (long < 1.5 * unit) continue;
      const [x, y] = this.at(some[i], some[i + 1]);
      const dx = arrows[i] / push, dy = -arrows[i + 1] / push, head = Math.min(5 * unit, long / 2);
      const [tipX, tipY] = [x + dx * long, y + dy * long];
      pen.moveTo(x, y);
      pen.lineTo(tipX, tipY);
      for (const side of [-1, 1]) {
        pen.moveTo(tipX, tipY);
        pen.lineTo(tipX - head * (dx * 0.87 + side * dy * 0.5), tipY - head * (dy * 0.87 - side * dx * 0.5));
      }
    }
    pen.stroke();
  }
}
