// Random numbers as a function of (seed, round, name), as in ganzoo: they do not depend on earlier
// draws, so a run that is rewound continues exactly as before.

function hashed(text) {
  let h = 0x811c9dc5; // FNV-1a, then mixed (murmur3's finalizer), since its low bits are weak
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform numbers in [0, 1) and normal ones: sfc32 (PractRand), seeded by the words. */
class Chance {
  constructor(...words) {
    const text = words.join("/");
    this.a = hashed(`${text}/a`);
    this.b = hashed(`${text}/b`);
    this.c = hashed(`${text}/c`);
    this.d = 1;
    this.spare = null;
    for (let i = 0; i < 12; i++) this.uniform();
  }

  uniform() {
    const t = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t | 0;
    return (t >>> 0) / 4294967296;
  }

  /** Box and Muller's pair, one at a time. */
  normal() {
    if (this.spare !== null) {
      const kept = this.spare;
      this.spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  whole(below) {
    return Math.floor(this.uniform() * below);
  }
}
