// Optimizers, to the letter of torch's: how gradients become steps.

class Optimizer {
  /** settings: as in a Spec's JSON, `{kind: "adam", lr: 0.001, betas: [0.5, 0.999], eps: 1e-8}`. */
  constructor(settings, parameters) {
    this.settings = settings;
    this.parameters = parameters;
    this.steps = 0;
    const slots = { adam: 2, adamw: 2, rmsprop: 1, sgd: 1 }[settings.kind];
    if (!slots) throw new Error(`the laboratory has no optimizer ${settings.kind}`);
    this.memory = Array.from({ length: slots }, () =>
      parameters.map((parameter) => new Float64Array(parameter.data.length)),
    );
  }

  step(gradients) {
    this.steps += 1;
    this.parameters.forEach((parameter, index) => {
      this[this.settings.kind](parameter.data, gradients[index].data, index);
    });
  }

  adam(weights, gradient, index) {
    this.moments(weights, gradient, index, this.settings.weight_decay || 0);
  }

  adamw(weights, gradient, index) {
    const kept = 1 - this.settings.lr * (this.settings.weight_decay || 0);
    for (let i = 0; i < weights.length; i++) weights[i] *= kept;
    this.moments(weights, gradient, index, 0);
  }

  moments(weights, gradient, index, decay) {
    const { lr, betas: [b1, b2], eps } = this.settings;
    const first = this.memory[0][index], second = this.memory[1][index];
    const step = lr / (1 - b1 ** this.steps), root = Math.sqrt(1 - b2 ** this.steps);
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i] + decay * weights[i];
      first[i] += (1 - b1) * (g - first[i]);
      second[i] = b2 * second[i] + (1 - b2) * g * g;
      weights[i] -= (step * first[i]) / (Math.sqrt(second[i]) / root + eps);
    }
  }

  rmsprop(weights, gradient, index) {
    const { lr, alpha, eps } = this.settings, kept = this.memory[0][index];
    for (let i = 0; i < weights.length; i++) {
      kept[i] = alpha * kept[i] + (1 - alpha) * gradient[i] * gradient[i];
      weights[i] -= (lr * gradient[i]) / (Math.sqrt(kept[i]) + eps);
    }
  }

  sgd(weights, gradient, index) {
    const { lr, momentum = 0, weight_decay: decay = 0 } = this.settings;
    const speed = this.memory[0][index];
    for (let i = 0; i < weights.length; i++) {
      speed[i] = momentum * speed[i] + gradient[i] + decay * weights[i];
      weights[i] -= lr * speed[i];
    }
  }

  /**
   * By what a gradient is multiplied for a step from here: Adam's and RMSprop's measure of each
   * weight, as it stands, without momentum.
   */
  rates(index) {
    const { kind, lr, eps, betas } = this.settings;
    const rates = new Float64Array(this.parameters[index].data.length);
    if (kind === "sgd" || !this.steps) return rates.fill(kind === "sgd" ? lr : 0);
    const squares = kind === "rmsprop" ? this.memory[0][index] : this.memory[1][index];
    const share = kind === "rmsprop" ? 1 : 1 - betas[1] ** this.steps;
    for (let i = 0; i < rates.length; i++) rates[i] = lr / (Math.sqrt(squares[i] / share) + eps);
    return rates;
  }

  state() {
    return { steps: this.steps, memory: this.memory.map((slot) => slot.map((kept) => kept.slice())) };
  }

  load(state) {
    this.steps = state.steps;
    this.memory = state.memory.map((slot) => slot.map((kept) => kept.slice()));
  }
}
