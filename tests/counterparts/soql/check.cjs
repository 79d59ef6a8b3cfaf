// Reads one JSON string (a SOQL query) a line, answers one JSON object a line: {ok, error, strings}.
// `strings` are the values of all string literals in the WHERE clause, unescaped by Salesforce's table.
// Run in the folder that holds node_modules.
const path = require("path");
const { parseQuery } = require(path.join(process.cwd(), "node_modules/@jetstreamapp/soql-parser-js"));
const short = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

function unescaped(literal) {
  return literal.slice(1, -1).replace(/\\(u[0-9a-fA-F]{4}|[^])/g, (whole, code) =>
    code.length === 5 ? String.fromCharCode(parseInt(code.slice(1), 16)) : short[code.toLowerCase()] || code);
}

function strings(where, found) {
  if (!where) return found;
  const left = where.left || {};
  if (left.literalType === "STRING") {
    for (const value of Array.isArray(left.value) ? left.value : [left.value]) found.push(unescaped(value));
  }
  return strings(where.right, found);
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    answer = { ok: true, error: "", strings: strings(parseQuery(JSON.parse(line)).where, []) };
  } catch (error) {
    answer = { ok: false, error: String(error.message), strings: [] };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
