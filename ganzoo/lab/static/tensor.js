// Matrices of float64 and reverse-mode gradients of any order.
//
// A tensor is a matrix (rows, columns); a number is 1 x 1. Each operation that is recorded knows
// how a gradient goes back through it, in terms of these same operations, so gradients of
// gradients (penalties on slopes, unrolled steps) need nothing more.

/** Memory that a round takes and gives back at once, since a browser's own is slow to clear. */
class Arena {
  constructor() {
    this.free = new Map();
    this.taken = [];
  }

  /** A buffer with whatever numbers it held before. */
  take(size) {
    const room = this.free.get(size);
    const buffer = room && room.length ? room.pop() : new Float64Array(size);
    this.taken.push(buffer);
    return buffer;
  }

  mark() {
    return this.taken.length;
  }

  /** Give back all that was taken since `mark`: nothing may read it any more. */
  release(mark) {
    while (this.taken.length > mark) {
      const buffer = this.taken.pop();
      let room = this.free.get(buffer.length);
      if (!room) this.free.set(buffer.length, (room = []));
      room.push(buffer);
    }
  }
}

let arena = new Arena();
let recording = true;
let counter = 0;

class Tensor {
  constructor(rows, columns, data) {
    this.rows = rows;
    this.columns = columns;
    this.data = data;
    this.id = counter++;
    this.parents = null;
    this.backward = null;
    this.needs = false;
  }

  /** The number of a 1 x 1 tensor. */
  item() {
    return this.data[0];
  }
}

/** A tensor that lasts: weights, and what optimizers remember. */
function lasting(rows, columns, values) {
  return new Tensor(rows, columns, values ? Float64Array.from(values) : new Float64Array(rows * columns));
}

function fresh(rows, columns) {
  return new Tensor(rows, columns, arena.take(rows * columns));
}

function constant(rows, columns, values) {
  const made = fresh(rows, columns);
  made.data.set(values);
  return made;
}

/** `backward[i](gradient)` is the gradient of parent i; null where none flows. */
function recorded(out, parents, backward) {
  if (recording && parents.some((parent) => parent.needs)) {
    out.parents = parents;
    out.backward = backward;
    out.needs = true;
  }
  return out;
}

function withoutGraph(body) {
  const before = recording;
  recording = false;
  try {
    return body();
  } finally {
    recording = before;
  }
}

function withGraph(body) {
  const before = recording;
  recording = true;
  try {
    return body();
  } finally {
    recording = before;
  }
}

function detach(a) {
  return new Tensor(a.rows, a.columns, a.data);
}

/** The same numbers, as a point that gradients are taken with respect to. */
function leaf(a) {
  const made = detach(a);
  made.needs = true;
  return made;
}

function same(a, b) {
  if (a.rows !== b.rows || a.columns !== b.columns) {
    throw new Error(`shapes differ: ${a.rows} x ${a.columns} and ${b.rows} x ${b.columns}`);
  }
}

// --------------------------------------------------------------------------- elementwise

function map(a, compute, backward) {
  const out = fresh(a.rows, a.columns);
  const from = a.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = compute(from[i]);
  return recorded(out, [a], [(g) => backward(g, out)]);
}

function add(a, b) {
  same(a, b);
  const out = fresh(a.rows, a.columns);
  const p = a.data, q = b.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = p[i] + q[i];
  return recorded(out, [a, b], [(g) => g, (g) => g]);
}

function subtract(a, b) {
  same(a, b);
  const out = fresh(a.rows, a.columns);
  const p = a.data, q = b.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = p[i] - q[i];
  return recorded(out, [a, b], [(g) => g, (g) => scale(g, -1)]);
}

function multiply(a, b) {
  same(a, b);
  const out = fresh(a.rows, a.columns);
  const p = a.data, q = b.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = p[i] * q[i];
  return recorded(out, [a, b], [(g) => multiply(g, b), (g) => multiply(g, a)]);
}

function divide(a, b) {
  same(a, b);
  const out = fresh(a.rows, a.columns);
  const p = a.data, q = b.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = p[i] / q[i];
  return recorded(out, [a, b], [(g) => divide(g, b), (g) => scale(multiply(g, divide(out, b)), -1)]);
}

/** a * factor + offset, both numbers. */
function scale(a, factor, offset = 0) {
  const out = fresh(a.rows, a.columns);
  const from = a.data, to = out.data;
  for (let i = 0; i < to.length; i++) to[i] = from[i] * factor + offset;
  return recorded(out, [a], [(g) => scale(g, factor)]);
}

/** a * slope, where slope is a function of a's numbers that has no gradient of its own. */
function masked(a, slope) {
  const mask = fresh(a.rows, a.columns);
  for (let i = 0; i < mask.data.length; i++) mask.data[i] = slope(a.data[i]);
  return multiply(a, mask);
}

/** The most frequent of them by far, in one pass and without a call for each number. */
function leakyRelu(a, slope) {
  const out = fresh(a.rows, a.columns), from = a.data, to = out.data;
  if (!recording || !a.needs) {
    for (let i = 0; i < to.length; i++) to[i] = from[i] > 0 ? from[i] : from[i] * slope;
    return out;
  }
  const mask = fresh(a.rows, a.columns), slopes = mask.data;
  for (let i = 0; i < to.length; i++) {
    slopes[i] = from[i] > 0 ? 1 : slope;
    to[i] = from[i] * slopes[i];
  }
  return recorded(out, [a], [(g) => multiply(g, mask)]);
}

const relu = (a) => leakyRelu(a, 0);
const absolute = (a) => masked(a, Math.sign);
const square = (a) => multiply(a, a);
const tanh = (a) => map(a, Math.tanh, (g, out) => multiply(g, scale(square(out), -1, 1)));
const exp = (a) => map(a, Math.exp, (g, out) => multiply(g, out));
const log = (a) => map(a, Math.log, (g) => divide(g, a));
const sqrt = (a) => map(a, Math.sqrt, (g, out) => divide(g, scale(out, 2)));
const sigmoid = (a) =>
  map(a, (v) => 1 / (1 + Math.exp(-v)), (g, out) => multiply(g, multiply(out, scale(out, -1, 1))));
const softplus = (a) =>
  map(a, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))), (g) => multiply(g, sigmoid(a)));

// ------------------------------------------------------------------- sums and their reverse

function sum(a) {
  const out = fresh(1, 1);
  let total = 0;
  for (let i = 0; i < a.data.length; i++) total += a.data[i];
  out.data[0] = total;
  return recorded(out, [a], [(g) => fill(g, a.rows, a.columns)]);
}

/** One number everywhere. */
function fill(a, rows, columns) {
  const out = fresh(rows, columns);
  out.data.fill(a.data[0]);
  return recorded(out, [a], [sum]);
}

const mean = (a) => scale(sum(a), 1 / a.data.length);

/** Over the rows: (1, columns). */
function sumRows(a) {
  const out = fresh(1, a.columns), to = out.data, from = a.data;
  to.fill(0);
  for (let i = 0, at = 0; i < a.rows; i++) for (let j = 0; j < a.columns; j++) to[j] += from[at++];
  return recorded(out, [a], [(g) => repeatRow(g, a.rows)]);
}

function repeatRow(a, rows) {
  const out = fresh(rows, a.columns);
  for (let i = 0; i < rows; i++) out.data.set(a.data, i * a.columns);
  return recorded(out, [a], [sumRows]);
}

/** Over the columns: (rows, 1). */
function sumColumns(a) {
  const out = fresh(a.rows, 1), to = out.data, from = a.data;
  for (let i = 0, at = 0; i < a.rows; i++) {
    let total = 0;
    for (let j = 0; j < a.columns; j++) total += from[at++];
    to[i] = total;
  }
  return recorded(out, [a], [(g) => repeatColumn(g, a.columns)]);
}

function repeatColumn(a, columns) {
  const out = fresh(a.rows, columns), to = out.data, from = a.data;
  for (let i = 0, at = 0; i < a.rows; i++) for (let j = 0; j < columns; j++) to[at++] = from[i];
  return recorded(out, [a], [sumColumns]);
}

// ------------------------------------------------------------------------------ products

function transpose(a) {
  const out = fresh(a.columns, a.rows), to = out.data, from = a.data;
  for (let i = 0, at = 0; i < a.rows; i++) {
    for (let j = 0; j < a.columns; j++) to[j * a.rows + i] = from[at++];
  }
  return recorded(out, [a], [transpose]);
}

/** a b^T of (m, k) and (n, k): both are read along their rows. `bias` (1, n) is added. */
function product(a, b, bias) {
  const m = a.rows, n = b.rows, k = a.columns;
  if (k !== b.columns) throw new Error(`${m} x ${k} does not go with ${n} x ${b.columns}`);
  const out = fresh(m, n);
  multiplyInto(out.data, a.data, b.data, bias ? bias.data : null, m, n, k);
  const parents = [a, b];
  const backward = [(g) => product(g, transpose(b)), (g) => product(transpose(g), transpose(a))];
  if (bias) {
    parents.push(bias);
    backward.push(sumRows);
  }
  return recorded(out, parents, backward);
}

// four columns of two rows at once: eight sums that do not wait for each other
function multiplyInto(to, a, b, bias, m, n, k) {
  const wide = n - (n % 4);
  for (let i = 0; i < m; i += 2) {
    const both = i + 1 < m;
    const first = i * k, second = both ? first + k : first;
    for (let j = 0; j < wide; j += 4) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      let b0 = j * k, b1 = b0 + k, b2 = b1 + k, b3 = b2 + k;
      for (let p = 0; p < k; p++) {
        const x = a[first + p], y = a[second + p];
        const w0 = b[b0++], w1 = b[b1++], w2 = b[b2++], w3 = b[b3++];
        s0 += x * w0; s1 += x * w1; s2 += x * w2; s3 += x * w3;
        t0 += y * w0; t1 += y * w1; t2 += y * w2; t3 += y * w3;
      }
      const at = i * n + j;
      to[at] = s0; to[at + 1] = s1; to[at + 2] = s2; to[at + 3] = s3;
      if (both) {
        const under = at + n;
        to[under] = t0; to[under + 1] = t1; to[under + 2] = t2; to[under + 3] = t3;
      }
    }
    for (let j = wide; j < n; j++) {
      let s = 0, t = 0;
      for (let p = 0, q = j * k; p < k; p++, q++) {
        s += a[first + p] * b[q];
        t += a[second + p] * b[q];
      }
      to[i * n + j] = s;
      if (both) to[(i + 1) * n + j] = t;
    }
  }
  if (bias) for (let i = 0, at = 0; i < m; i++) for (let j = 0; j < n; j++) to[at++] += bias[j];
}

// ----------------------------------------------------------------------------- gradients

/**
 * The gradients of a number with respect to each of `at`; zeros where it does not depend on one.
 * `graph`: they may be differentiated in turn.
 */
function gradientsOf(of, at, graph = false) {
  if (of.rows !== 1 || of.columns !== 1) throw new Error("gradients are of a number");
  const order = [], seen = new Set();
  const pending = of.needs ? [of] : [];
  while (pending.length) {
    const node = pending.pop();
    if (seen.has(node)) continue;
    seen.add(node);
    order.push(node);
    if (node.parents) for (const parent of node.parents) if (parent.needs) pending.push(parent);
  }
  order.sort((one, other) => one.id - other.id);
  const wanted = new Set(at);
  const leads = new Set(); // the nodes behind which some wanted one stands
  for (const node of order) {
    if (wanted.has(node) || (node.parents && node.parents.some((parent) => leads.has(parent)))) {
      leads.add(node);
    }
  }
  const found = new Map();
  return (graph ? withGraph : withoutGraph)(() => {
    const one = fresh(1, 1);
    one.data[0] = 1;
    found.set(of, one);
    for (let i = order.length - 1; i >= 0; i--) {
      const node = order[i], gradient = found.get(node);
      if (!gradient || !node.parents || !leads.has(node)) continue;
      node.parents.forEach((parent, index) => {
        if (!leads.has(parent)) return;
        const part = node.backward[index](gradient);
        const before = found.get(parent);
        found.set(parent, before ? add(before, part) : part);
      });
    }
    return at.map((point) => {
      const gradient = leads.has(point) ? found.get(point) : null;
      if (gradient) return gradient;
      const zeros = fresh(point.rows, point.columns);
      zeros.data.fill(0);
      return zeros;
    });
  });
}
