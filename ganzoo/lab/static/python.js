// The little Python in which ganzoo's plan writes a round: assignments, calls, arithmetic, `for`
// over a range and `with no_grad()`. It is read into statements, and run one at a time.

const TOKEN = /\s*(?:(\d[\d.]*(?:e[+-]?\d+)?)|([A-Za-z_]\w*)|'([^']*)'|(\S))/gy;

function tokensOf(text, line) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const found = TOKEN.exec(text);
    if (!found) throw new Error(`line ${line}: ${text}`);
    const [, number, name, string, mark] = found;
    if (mark === "#") break;
    if (number !== undefined) tokens.push({ kind: "number", value: Number(number) });
    else if (name !== undefined) tokens.push({ kind: "name", value: name });
    else if (string !== undefined) tokens.push({ kind: "string", value: string });
    else tokens.push({ kind: "mark", value: mark });
  }
  return tokens;
}

class Parser {
  constructor(tokens, line) {
    this.tokens = tokens;
    this.line = line;
    this.at = 0;
  }

  is(mark) {
    const token = this.tokens[this.at];
    return token !== undefined && token.kind === "mark" && token.value === mark;
  }

  takes(mark) {
    if (!this.is(mark)) return false;
    this.at += 1;
    return true;
  }

  needs(mark) {
    if (!this.takes(mark)) throw new Error(`line ${this.line}: ${mark} is expected`);
  }

  next() {
    const token = this.tokens[this.at++];
    if (!token) throw new Error(`line ${this.line} ends too early`);
    return token;
  }

  sum() {
    let left = this.product();
    while (this.is("+") || this.is("-")) {
      const operator = this.next().value;
      left = { kind: "binary", operator, left, right: this.product() };
    }
    return left;
  }

  product() {
    let left = this.unary();
    while (this.is("*") || this.is("/")) {
      const operator = this.next().value;
      left = { kind: "binary", operator, left, right: this.unary() };
    }
    return left;
  }

  unary() {
    if (this.takes("-")) return { kind: "negative", operand: this.unary() };
    return this.trailed();
  }

  trailed() {
    let node = this.atom();
    for (;;) {
      if (this.takes(".")) node = { kind: "attribute", of: node, name: this.next().value };
      else if (this.takes("(")) node = this.call(node);
      else return node;
    }
  }

  call(callee) {
    const args = [], named = {};
    while (!this.takes(")")) {
      const token = this.tokens[this.at], after = this.tokens[this.at + 1];
      if (token && token.kind === "name" && after && after.kind === "mark" && after.value === "=") {
        this.at += 2;
        named[token.value] = this.sum();
      } else {
        args.push(this.sum());
      }
      if (!this.is(")")) this.needs(",");
    }
    return { kind: "call", callee, args, named };
  }

  atom() {
    if (this.takes("(")) {
      const inner = this.sum();
      this.needs(")");
      return inner;
    }
    const token = this.next();
    if (token.kind === "mark") throw new Error(`line ${this.line}: unexpected ${token.value}`);
    return token;
  }
}

/** The statements of a round; each knows its line, the first one being 0. */
function parseRound(text) {
  const lines = text.split("\n");
  let at = 0;
  const depth = (line) => line.length - line.trimStart().length;

  function block(indent) {
    const found = [];
    for (; at < lines.length; ) {
      const line = lines[at];
      if (!line.trim()) {
        at += 1;
        continue;
      }
      if (depth(line) < indent) break;
      found.push(statement(line, depth(line)));
    }
    return found;
  }

  function statement(line, indent) {
    const number = at++, text_ = line.trim();
    if (text_.startsWith("#")) return { kind: "comment", line: number, text: text_.slice(1).trim() };
    if (/^with \w+\(\):$/.test(text_)) return { kind: "with", line: number, body: block(indent + 1) };
    const loop = /^for (\w+) in \w+\((\d+), (\d+)\):$/.exec(text_);
    if (loop) {
      const [, name, from, to] = loop;
      return { kind: "for", line: number, name, from: +from, to: +to, body: block(indent + 1) };
    }
    const parser = new Parser(tokensOf(text_, number), number);
    const targets = /^([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*) = /.exec(text_);
    if (targets) {
      const names = targets[1].split(", ");
      parser.at = 2 * names.length; // names, the commas between them, and the equals sign
      return end(parser, { kind: "assign", line: number, names, value: parser.sum() });
    }
    return end(parser, { kind: "do", line: number, value: parser.sum() });
  }

  function end(parser, made) {
    if (parser.at < parser.tokens.length) throw new Error(`line ${made.line}: ${lines[made.line]}`);
    return made;
  }

  at = 1; // the head: def train_round(...)
  return block(1);
}

/** Every name that an expression reads. */
function* namesIn(node) {
  if (node.kind === "name") yield node.value;
  for (const part of [node.left, node.right, node.operand, node.of, node.callee, ...(node.args || []),
    ...Object.values(node.named || {})]) {
    if (part) yield* namesIn(part);
  }
}

/** Runs statements in a scope, a Map from names to values. */
class Interpreter {
  /** `attached`: .detach() cuts nothing, as in a look ahead. `graph`: nor does no_grad(). */
  constructor(scope, { attached = false, graph = attached } = {}) {
    this.scope = scope;
    this.attached = attached;
    this.graph = graph;
  }

  /** Run all, and stop before each line that does something: yields the statement. */
  *run(statements, graph = true) {
    for (const statement of statements) {
      if (statement.kind === "with") {
        yield* this.run(statement.body, this.graph);
      } else if (statement.kind === "for") {
        for (let k = statement.from; k < statement.to; k++) {
          this.scope.set(statement.name, k);
          yield* this.run(statement.body, graph);
        }
      } else if (statement.kind !== "comment") {
        yield statement;
        (graph ? withGraph : withoutGraph)(() => this.execute(statement));
      }
    }
  }

  execute(statement) {
    const value = this.value(statement.value);
    if (statement.kind === "do") return;
    if (statement.names.length === 1) this.scope.set(statement.names[0], value);
    else statement.names.forEach((name, index) => this.scope.set(name, value[index]));
  }

  value(node) {
    switch (node.kind) {
      case "number":
      case "string":
        return node.value;
      case "name":
        if (!this.scope.has(node.value)) throw new Error(`no ${node.value} here`);
        return this.scope.get(node.value);
      case "negative": {
        const value = this.value(node.operand);
        return typeof value === "number" ? -value : scale(value, -1);
      }
      case "binary":
        return arithmetic(node.operator, this.value(node.left), this.value(node.right));
      case "call":
        return this.call(node);
      default:
        throw new Error(`cannot read ${node.kind}`);
    }
  }

  call(node) {
    if (node.callee.kind === "attribute") {
      if (node.callee.name !== "detach") throw new Error(`no ${node.callee.name}()`);
      const value = this.value(node.callee.of);
      return this.attached ? value : detach(value);
    }
    const name = node.callee.value, callee = this.value(node.callee);
    const args = node.args.map((argument) => this.value(argument));
    const named = {};
    for (const [key, value] of Object.entries(node.named)) named[key] = this.value(value);
    // the terms of an update are logged by their names
    if (name === "gradients") return callee(args, node.args.map((argument) => argument.value));
    return callee(...args, named);
  }
}
