// From a picture file to what a model takes, as ganzoo.data.decoding does it in Python: what is
// transparent lies on the background, colours become grey, and Pillow's filters resize.

const FILTERS = {
  box: [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  bicubic: [2, (x) => {
    const [a, d] = [-0.5, Math.abs(x)];
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
  }],
  lanczos: [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};
const GROUNDS = { white: 255, black: 0, grey: 128 };
const PRECISION = 2 ** 22; // of Pillow's weights for 8 bits

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

// The pixels of a picture file, RGBA of 8 bits: {width, height, data}.
async function opened(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

// A picture as planes of 8 bits, one for each channel: {width, height, planes}.
function upright(image, channels, background) {
  const { width, height, data } = image;
  const ground = GROUNDS[background];
  const planes = Array.from({ length: channels }, () => new Uint8Array(width * height));
  for (let pixel = 0; pixel < width * height; pixel++) {
    const alpha = data[4 * pixel + 3];
    const seen = [0, 1, 2].map((channel) => {
      const value = data[4 * pixel + channel];
      if (channels === 4 || alpha === 255) return value;
      return Math.round((value * alpha + ground * (255 - alpha)) / 255);
    });
    if (channels === 1) {
      // ITU-R BT.601 in whole numbers, as Pillow
      planes[0][pixel] = (seen[0] * 19595 + seen[1] * 38470 + seen[2] * 7471 + 0x8000) >> 16;
    } else {
      seen.forEach((value, channel) => (planes[channel][pixel] = value));
      if (channels === 4) planes[3][pixel] = alpha;
    }
  }
  return { width, height, planes };
}

// For each place of a row of `wanted` pixels: where its part of [low, high] begins, and the weights.
function weights(size, low, high, wanted, filter) {
  const [reach, shape] = FILTERS[filter];
  const scale = (high - low) / wanted;
  const wide = Math.max(1, scale);
  return Array.from({ length: wanted }, (_, place) => {
    const center = low + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - reach * wide + 0.5));
    const last = Math.min(size, Math.trunc(center + reach * wide + 0.5));
    const found = [];
    for (let index = first; index < last; index++) found.push(shape((index - center + 0.5) / wide));
    const sum = found.reduce((total, weight) => total + weight, 0);
    return [first, found.map((weight) => roundAway((weight / sum) * PRECISION))];
  });
}

function roundAway(value) {
  return Math.trunc(value + (value < 0 ? -0.5 : 0.5));
}

// A plane of 8 bits, resized along its rows or columns.
function passed(plane, width, height, along, places) {
  const columns = along === "x" ? places.length : width;
  const rows = along === "y" ? places.length : height;
  const found = new Uint8ClampedArray(columns * rows);
  const step = along === "x" ? 1 : width;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [first, some] = places[along === "x" ? column : row];
      let index = along === "x" ? row * width + first : first * width + column;
      let sum = PRECISION / 2;
      for (const weight of some) {
        sum += weight * plane[index];
        index += step;
      }
      found[row * columns + column] = Math.floor(sum / PRECISION);
    }
  }
  return found;
}

// A plane resized to `wanted` [width, height]; of it, the box [left, top, right, bottom] is taken.
function resized(plane, width, height, wanted, box, filter) {
  const [columns, rows] = wanted;
  const [left, top, right, bottom] = box;
  if (filter === "nearest") {
    const found = new Uint8ClampedArray(columns * rows);
    for (let row = 0; row < rows; row++) {
      const y = Math.floor(top + (row + 0.5) * ((bottom - top) / rows));
      for (let column = 0; column < columns; column++) {
        const x = Math.floor(left + (column + 0.5) * ((right - left) / columns));
        found[row * columns + column] = plane[y * width + x];
      }
    }
    return found;
  }
  let found = plane;
  if (columns !== width || left || right !== width) {
    found = passed(found, width, height, "x", weights(width, left, right, columns, filter));
  }
  if (rows !== height || top || bottom !== height) {
    found = passed(found, columns, height, "y", weights(height, top, bottom, rows, filter));
  }
  return found;
}

// The largest central box of the wanted proportions.
function central(width, height, [columns, rows]) {
  const ratio = columns / rows;
  const [inner, outer] = [width / height > ratio ? ratio * height : width,
    width / height < ratio ? width / ratio : height];
  const [left, top] = [(width - inner) * 0.5, (height - outer) * 0.5];
  return [left, top, left + inner, top + outer];
}

// Half to even, as Python rounds.
function roundEven(value) {
  const near = Math.round(value);
  return Math.abs(value % 1) === 0.5 && near % 2 ? near - 1 : near;
}

// A picture file as float32 in [0, 1] of `shape` [channels, height, width].
async function prepared(file, shape, { fit, filter, background }) {
  const [channels, rows, columns] = shape;
  const wanted = [columns, rows];
  const { width, height, planes } = upright(await opened(file), channels, background);
  const found = new Float32Array(channels * rows * columns);
  planes.forEach((plane, channel) => {
    let made = plane;
    if (width !== columns || height !== rows) {
      const whole = [0, 0, width, height];
      if (fit === "crop") {
        made = resized(plane, width, height, wanted, central(width, height, wanted), filter);
      } else if (fit === "stretch") {
        made = resized(plane, width, height, wanted, whole, filter);
      } else {
        const scale = Math.min(columns / width, rows / height);
        const inner = [width, height].map((side) => Math.max(1, roundEven(side * scale)));
        const part = width === inner[0] && height === inner[1]
          ? plane : resized(plane, width, height, inner, whole, filter);
        const ground = channel === 3 ? 0 : GROUNDS[background];
        made = new Uint8ClampedArray(columns * rows).fill(ground);
        const [left, top] = [(columns - inner[0]) >> 1, (rows - inner[1]) >> 1];
        for (let row = 0; row < inner[1]; row++) {
          const line = part.subarray(row * inner[0], (row + 1) * inner[0]);
          made.set(line, (top + row) * columns + left);
        }
      }
    }
    for (let index = 0; index < made.length; index++) {
      found[channel * rows * columns + index] = made[index] / 255;
    }
  });
  return found;
}
