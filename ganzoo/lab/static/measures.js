// Exact measurements in the plane: the distance between two samples, and the modes that are hit.

/**
 * The Wasserstein-1 distance between two samples of equal size (flat arrays): the mean distance
 * that points move under the optimal matching. Exact: the assignment
 * problem, solved by shortest augmenting paths (Jonker and Volgenant 1987) in O(n^3).
 */
function wasserstein(a, b) {
  const n = a.length / 2;
  const cost = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      cost[i * n + j] = Math.hypot(a[2 * i] - b[2 * j], a[2 * i + 1] - b[2 * j + 1]);
    }
  }
  // dual variables of rows and columns keep every reduced cost non-negative; column 0 is the root
  const rows = new Float64Array(n + 1), columns = new Float64Array(n + 1);
  const owner = new Int32Array(n + 1), before = new Int32Array(n + 1);
  const least = new Float64Array(n + 1), done = new Uint8Array(n + 1);
  for (let row = 1; row <= n; row++) {
    owner[0] = row;
    let column = 0;
    least.fill(Infinity);
    done.fill(0);
    do {
      done[column] = 1;
      const i = owner[column], at = (i - 1) * n;
      let step = Infinity, next = 0;
      for (let j = 1; j <= n; j++) {
        if (done[j]) continue;
        const reduced = cost[at + j - 1] - rows[i] - columns[j];
        if (reduced < least[j]) {
          least[j] = reduced;
          before[j] = column;
        }
        if (least[j] < step) {
          step = least[j];
          next = j;
        }
      }
      for (let j = 0; j <= n; j++) {
        if (done[j]) {
          rows[owner[j]] += step;
          columns[j] -= step;
        } else {
          least[j] -= step;
        }
      }
      column = next;
    } while (owner[column] !== 0);
    for (; column; column = before[column]) owner[column] = owner[before[column]];
  }
  let total = 0;
  for (let j = 1; j <= n; j++) total += cost[(owner[j] - 1) * n + j - 1];
  return total / n;
}

/**
 * Which modes a sample hits. A point within three standard deviations of a mode counts for it, and
 * a mode is hit where it gets a quarter of its fair share of all points.
 * Returns `{hit, of, near}`: modes hit, modes there are, and the share of points near any.
 */
function modesHit(points, modes, spread) {
  const counts = new Int32Array(modes.length), n = points.length / 2;
  let near = 0;
  for (let i = 0; i < n; i++) {
    for (let m = 0; m < modes.length; m++) {
      const far = Math.hypot(points[2 * i] - modes[m][0], points[2 * i + 1] - modes[m][1]);
      if (far < 3 * spread) {
        counts[m] += 1;
        near += 1;
        break;
      }
    }
  }
  const share = n / modes.length / 4;
  return { hit: counts.reduce((sum_, c) => sum_ + (c >= share), 0), of: modes.length, near: near / n };
}
