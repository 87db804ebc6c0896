// The functions of ganzoo's language that losses of one generator and one discriminator call.
// Each is what the function of that name in ganzoo.nn.functions is; a test compares them.

/** A number beside a tensor: the tensor of that number. */
function beside(value, other) {
  if (value instanceof Tensor) return value;
  const made = fresh(other.rows, other.columns);
  made.data.fill(value);
  return made;
}

const isNumber = (value) => typeof value === "number";

/** + - * / of tensors of one shape, or of tensors and numbers (a 1 x 1 tensor is one, too). */
function arithmetic(operator, a, b) {
  if (isNumber(a) && isNumber(b)) {
    return { "+": a + b, "-": a - b, "*": a * b, "/": a / b }[operator];
  }
  if (isNumber(b)) {
    return { "+": () => scale(a, 1, b), "-": () => scale(a, 1, -b), "*": () => scale(a, b),
      "/": () => scale(a, 1 / b) }[operator]();
  }
  if (isNumber(a)) {
    return { "+": () => scale(b, 1, a), "-": () => scale(b, -1, a), "*": () => scale(b, a),
      "/": () => divide(beside(a, b), b) }[operator]();
  }
  const single = (value) => value.rows === 1 && value.columns === 1;
  if (single(a) && !single(b)) a = fill(a, b.rows, b.columns);
  if (single(b) && !single(a)) b = fill(b, a.rows, a.columns);
  return { "+": add, "-": subtract, "*": multiply, "/": divide }[operator](a, b);
}

/** The squared norm of the gradient of each sample's score; (batch, 1). */
function squaredSlopes(critic, points) {
  return withGraph(() => {
    const [slopes] = gradientsOf(sum(critic(points)), [points], true);
    // a norm has no derivative at zero; the smallest number keeps it finite
    return scale(sumColumns(square(slopes)), 1, 1e-12);
  });
}

let lookingAhead = false;

/** Run the body so that penalties keep where their points came from: a look ahead learns by that. */
function lookAhead(body) {
  lookingAhead = true;
  try {
    return withGraph(body);
  } finally {
    lookingAhead = false;
  }
}

/** Where a penalty takes slopes: a point of its own, or in a look ahead the value itself. */
const pointOf = (value) => (lookingAhead && value.needs ? value : leaf(value));

const FUNCTIONS = {
  mean,
  square,
  exp,
  log,
  sqrt,
  tanh,
  relu,
  sigmoid,
  softplus,
  abs: absolute,
  detach,
  squared_norm: (a) => sumColumns(square(a)),
  norm: (a) => sqrt(scale(sumColumns(square(a)), 1, 1e-12)),
  dot: (a, b) => sumColumns(multiply(a, b)),
  minimum: (a, b) => extreme(a, b, Math.min),
  maximum: (a, b) => extreme(a, b, Math.max),
  mse: (a, b) => mean(square(arithmetic("-", a, b))),
  l1: (a, b) => mean(absolute(arithmetic("-", a, b))),
  hinge: (scores, sign) => mean(relu(scale(scores, -sign, 1))),
  bce(logits, target) {
    if (target === 1) return mean(softplus(scale(logits, -1)));
    if (target === 0) return mean(softplus(logits));
    return mean(subtract(softplus(logits), arithmetic("*", logits, target)));
  },
  gradient_penalty(critic, real, fake, { mix }) {
    const points = (lookingAhead ? withGraph : withoutGraph)(() => {
      const share = repeatColumn(mix, real.columns);
      return add(fake, multiply(share, subtract(real, fake)));
    });
    return mean(square(scale(sqrt(squaredSlopes(critic, pointOf(points))), 1, -1)));
  },
  r1: (critic, inputs) => mean(squaredSlopes(critic, pointOf(inputs))),
};

function extreme(a, b, choose) {
  if (isNumber(a)) a = beside(a, b);
  if (isNumber(b)) b = beside(b, a);
  const takes = fresh(a.rows, a.columns);
  for (let i = 0; i < takes.data.length; i++) {
    const one = a.data[i], other = b.data[i];
    takes.data[i] = one === other ? 0.5 : choose(one, other) === one ? 1 : 0;
  }
  return add(multiply(a, takes), multiply(b, scale(takes, -1, 1)));
}
