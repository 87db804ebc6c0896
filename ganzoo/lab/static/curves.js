// Curves by round, with a scale.

class Curves {
  constructor(canvas) {
    this.canvas = canvas;
  }

  /**
   * series: `{colour, values: [[round, value], ...], dash, faint}`; `marks`: rounds with a line;
   * `level`: a value that is drawn across.
   */
  draw(series, { last, now, colours, from = null, level = null }) {
    const scale_ = Math.min(2, window.devicePixelRatio || 1);
    const wide = Math.round(this.canvas.clientWidth * scale_) || 300;
    const high = Math.round(this.canvas.clientHeight * scale_) || 120;
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, wide, high);
    let [low, top] = from === null ? [Infinity, -Infinity] : [from, from];
    const take = (value) => {
      low = Math.min(low, value);
      top = Math.max(top, value);
    };
    for (const { values } of series) {
      const sorted = values.map(([, value]) => value).filter(Number.isFinite).sort((a, b) => a - b);
      if (!sorted.length) continue;
      // the outermost hundredth may leave the frame, so that one spike does not flatten the rest
      take(sorted[Math.floor((sorted.length - 1) * 0.01)]);
      take(sorted[Math.ceil((sorted.length - 1) * 0.99)]);
    }
    if (level !== null) take(level);
    if (!(low <= top)) [low, top] = [0, 1];
    const room = (top - low) * 0.08 || 0.5;
    if (from === null) low -= room;
    top += room;
    const left = 42 * scale_, bottom = 16 * scale_, upper = 6 * scale_;
    const x = (round) => left + (round / Math.max(last, 1)) * (wide - left - 6 * scale_);
    const y = (value) => upper + ((top - value) / (top - low)) * (high - upper - bottom);
    pen.font = `${11 * scale_}px system-ui, sans-serif`;
    pen.fillStyle = colours.soft;
    pen.strokeStyle = colours.line;
    pen.lineWidth = scale_;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of ticks(low, top)) {
      pen.fillText(short(value), left - 5 * scale_, y(value));
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(wide, y(value));
      pen.stroke();
    }
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.fillText(`round ${last}`, wide - 32 * scale_, high - 3 * scale_);
    pen.fillText("0", left, high - 3 * scale_);
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, wide - left, high - bottom + 2);
    pen.clip();
    if (level !== null) {
      pen.strokeStyle = colours.soft;
      pen.setLineDash([4 * scale_, 4 * scale_]);
      pen.beginPath();
      pen.moveTo(left, y(level));
      pen.lineTo(wide, y(level));
      pen.stroke();
      pen.setLineDash([]);
    }
    for (const { colour, values, faint } of series) {
      const stride = Math.max(1, Math.floor(values.length / wide));
      pen.strokeStyle = colour;
      pen.globalAlpha = faint ? 0.35 : 1;
      pen.lineWidth = (faint ? 1.5 : 1.6) * scale_;
      pen.beginPath();
      let begun = false;
      for (let i = 0; i < values.length; i += stride) {
        const [round, value] = values[i];
        if (!Number.isFinite(value)) continue;
        if (begun) pen.lineTo(x(round), y(value));
        else pen.moveTo(x(round), y(value));
        begun = true;
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.restore();
    if (now < last) {
      pen.strokeStyle = colours.ink;
      pen.lineWidth = scale_;
      pen.beginPath();
      pen.moveTo(x(now), 0);
      pen.lineTo(x(now), high - bottom);
      pen.stroke();
    }
  }
}

/** Points of a curve, evenly thinned to about as many as it has pixels; the last one stays. */
function thinned(rounds, values, most = 800) {
  const stride = Math.max(1, Math.floor(values.length / most)), found = [];
  for (let i = 0; i < values.length; i += stride) found.push([rounds[i], values[i]]);
  const last = values.length - 1;
  if (last >= 0 && last % stride) found.push([rounds[last], values[last]]);
  return found;
}

function ticks(low, top) {
  const raw = (top - low) / 3, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= top; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}
