// The reference implementation of JSONata, in the version that Step Functions names.
//
// Reads one JSON array of [expression, bindings] from standard input and writes one of
// {"value": ...} or {"none": reason}, in the same order.
const jsonata = require("jsonata");

const functions = {
  parse: (text) => JSON.parse(text),
  range: (first, last, step) => {
    const items = [];
    for (let at = first; step > 0 ? at <= last : at >= last; at += step) items.push(at);
    return items;
  },
  partition: (items, size) => {
    const parts = [];
    for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size));
    return parts;
  },
};

const compiled = new Map();
function expression(text) {
  if (!compiled.has(text)) {
    const made = jsonata(text);
    for (const [name, body] of Object.entries(functions)) made.registerFunction(name, body);
    compiled.set(text, made);
  }
  return compiled.get(text);
}

async function main() {
  const asked = JSON.parse(require("fs").readFileSync(0, "utf-8"));
  const answers = [];
  for (const [text, bindings] of asked) {
    try {
      const value = await expression(text).evaluate(undefined, bindings);
      answers.push(value === undefined ? { none: "undefined" } : { value });
    } catch (error) {
      answers.push({ none: String(error.message) });
    }
  }
  process.stdout.write(JSON.stringify({ version: require("jsonata/package.json").version, answers }));
}

main();
