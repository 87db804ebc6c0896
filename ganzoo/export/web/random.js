// Chance as ganzoo and torch have it on a processor, so that a seed draws the same picture here:
// BLAKE2b keys, and the Mersenne Twister of torch.Generator with its normal numbers.

const BITS = 0xffffffffffffffffn;
const START = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const ORDER = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
const LANES = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];

// The first 8 bytes of BLAKE2b (RFC 7693) with a digest of 8 bytes, as a big-endian number.
function blake2b(bytes) {
  const state = [...START];
  state[0] ^= 0x01010008n;
  const rotated = (word, by) => ((word >> by) | (word << (64n - by))) & BITS;
  const blocks = Math.max(1, Math.ceil(bytes.length / 128));
  for (let block = 0; block < blocks; block++) {
    const padded = new Uint8Array(128);
    padded.set(bytes.subarray(block * 128, block * 128 + 128));
    const view = new DataView(padded.buffer);
    const words = ORDER[0].map((index) => view.getBigUint64(index * 8, true));
    const v = [...state, ...START];
    v[12] ^= BigInt(Math.min(bytes.length, (block + 1) * 128));
    if (block === blocks - 1) v[14] ^= BITS;
    for (let round = 0; round < 12; round++) {
      const order = ORDER[round % 10];
      LANES.forEach(([a, b, c, d], lane) => {
        v[a] = (v[a] + v[b] + words[order[2 * lane]]) & BITS;
        v[d] = rotated(v[d] ^ v[a], 32n);
        v[c] = (v[c] + v[d]) & BITS;
        v[b] = rotated(v[b] ^ v[c], 24n);
        v[a] = (v[a] + v[b] + words[order[2 * lane + 1]]) & BITS;
        v[d] = rotated(v[d] ^ v[a], 16n);
        v[c] = (v[c] + v[d]) & BITS;
        v[b] = rotated(v[b] ^ v[c], 63n);
      });
    }
    for (let index = 0; index < 8; index++) state[index] ^= v[index] ^ v[index + 8];
  }
  const digest = new DataView(new ArrayBuffer(8));
  digest.setBigUint64(0, state[0], true);
  return digest.getBigUint64(0, false);
}

// ganzoo.seed.key
function seedKey(...parts) {
  return blake2b(new TextEncoder().encode(parts.join("\0"))) >> 1n;
}

// torch.Generator on a processor, seeded by a BigInt.
class Generator {
  constructor(seed) {
    const words = new Uint32Array(624);
    words[0] = Number(seed & 0xffffffffn);
    for (let index = 1; index < 624; index++) {
      const last = words[index - 1] ^ (words[index - 1] >>> 30);
      words[index] = Math.imul(1812433253, last) + index;
    }
    this.words = words;
    this.place = 624;
    this.next = null; // the second normal number of a pair
  }

  // 32 random bits
  bits() {
    const words = this.words;
    if (this.place === 624) {
      for (let index = 0; index < 624; index++) {
        const mixed = (words[index] & 0x80000000) | (words[(index + 1) % 624] & 0x7fffffff);
        const odd = mixed & 1 ? 0x9908b0df : 0;
        words[index] = words[(index + 397) % 624] ^ (mixed >>> 1) ^ odd;
      }
      this.place = 0;
    }
    let word = words[this.place++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  // a float32 in [0, 1)
  uniform() {
    return (this.bits() & 0xffffff) / 2 ** 24;
  }

  // a double in [0, 1)
  double() {
    const high = this.bits() & 0x1fffff;
    return (high * 2 ** 32 + this.bits()) / 2 ** 53;
  }

  // Normal numbers as torch.randn fills a tensor of so many.
  normal(count) {
    const found = new Float32Array(count);
    if (count < 16) {
      for (let index = 0; index < count; index++) found[index] = this.one();
      return found;
    }
    for (let index = 0; index < count; index++) found[index] = this.uniform();
    for (let start = 0; start <= count - 16; start += 16) paired(found, start);
    if (count % 16) {
      for (let index = count - 16; index < count; index++) found[index] = this.uniform();
      paired(found, count - 16);
    }
    return found;
  }

  one() {
    if (this.next !== null) {
      const kept = this.next;
      this.next = null;
      return kept;
    }
    const [angle, size] = [this.double(), this.double()];
    const radius = Math.sqrt(-2 * Math.log1p(-size));
    this.next = radius * Math.sin(2 * Math.PI * angle);
    return radius * Math.cos(2 * Math.PI * angle);
  }
}

// Sixteen uniform numbers to normal ones (Box and Muller), eight with eight.
function paired(numbers, start) {
  for (let index = start; index < start + 8; index++) {
    const radius = Math.sqrt(-2 * Math.log(1 - numbers[index]));
    const angle = 2 * Math.PI * numbers[index + 8];
    numbers[index] = radius * Math.cos(angle);
    numbers[index + 8] = radius * Math.sin(angle);
  }
}

// The distribution function of normal numbers: a series near 0, a continued fraction beyond.
function below(x) {
  if (Math.abs(x) < 4) {
    let term = x, sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (x * x) / (2 * n + 1);
    return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }
  let tail = 0;
  for (let n = 60; n > 0; n--) tail = n / (Math.abs(x) + tail);
  const share = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI) / (Math.abs(x) + tail);
  return x > 0 ? 1 - share : share;
}

// A normal number mapped to one no farther from 0 than `most`, as ganzoo's truncate does it.
function truncated(x, most) {
  const wanted = below(-most) + below(x) * (below(most) - below(-most));
  let low = -most, high = most;
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (below(middle) < wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// What ganzoo draws for an input of a task: `count` samples of `seed`, one after the other, so that
// the first ones do not depend on how many there are.
function drawn(input, count, seed) {
  const generator = new Generator(seedKey(seed, "sample", input.name));
  const size = input.shape.slice(1).reduce((product, side) => product * side, 1);
  if (input.kind === "categorical") {
    return BigInt64Array.from({ length: count }, () =>
      BigInt(Math.floor(Math.fround(generator.uniform() * input.classes))));
  }
  const found = new Float32Array(count * size);
  for (let row = 0; row < count; row++) {
    if (input.kind === "normal") found.set(generator.normal(size), row * size);
    else {
      const [low, high] = input.range;
      for (let index = 0; index < size; index++) {
        found[row * size + index] = generator.uniform() * (high - low) + low;
      }
    }
  }
  return input.truncation ? found.map((value) => truncated(value, input.truncation)) : found;
}
