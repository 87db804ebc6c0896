// Networks: fully connected, described by the layers of a Spec.

class Network {
  /**
   * layers: as in a Spec's JSON, `{kind: "linear", units: 32}`, `{kind: "relu"}`, ...
   * inputs: numbers of a sample.
   */
  constructor(name, layers, inputs) {
    this.name = name;
    this.inputs = inputs;
    this.layers = [];
    this.parameters = [];
    this.names = [];
    let width = inputs;
    layers.forEach((layer, index) => {
      if (layer.kind === "linear") {
        const weight = lasting(layer.units, width), bias = lasting(1, layer.units);
        weight.needs = bias.needs = true;
        this.layers.push({ kind: "linear", at: this.parameters.length });
        this.parameters.push(weight, bias);
        this.names.push(`layers.${index}.weight`, `layers.${index}.bias`);
        width = layer.units;
      } else if (["relu", "leaky_relu", "tanh"].includes(layer.kind)) {
        this.layers.push(layer);
      } else {
        throw new Error(`the laboratory has no layer ${layer.kind}`);
      }
    });
    this.outputs = width;
  }

  /** First weights, uniform in +-1/sqrt(inputs), which is torch's default for linear layers. */
  begin(seed) {
    for (let i = 0; i < this.parameters.length; i += 2) {
      const bound = 1 / Math.sqrt(this.parameters[i].columns);
      for (const offset of [0, 1]) {
        const chance = new Chance(seed, this.name, this.names[i + offset]);
        const data = this.parameters[i + offset].data;
        for (let j = 0; j < data.length; j++) data[j] = (2 * chance.uniform() - 1) * bound;
      }
    }
  }

  /** A pass; `parameters` in place of its own are for steps that are looked ahead. */
  call(x, parameters = this.parameters) {
    let flow = x;
    for (const layer of this.layers) {
      if (layer.kind === "linear") flow = product(flow, parameters[layer.at], parameters[layer.at + 1]);
      else if (layer.kind === "relu") flow = relu(flow);
      else if (layer.kind === "leaky_relu") flow = leakyRelu(flow, layer.slope);
      else flow = tanh(flow);
    }
    return flow;
  }

  get size() {
    return this.parameters.reduce((total, parameter) => total + parameter.data.length, 0);
  }
}
