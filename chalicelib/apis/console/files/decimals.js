// Exact decimals. A number is its text, as it stands in an answer; a computation is one of integers.

const FORM = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Return [integer, number of decimals] of a text; null if it is no number, or has more than 80 characters. */
export function read(text) {
  const found = String(text).length > 80 ? null : FORM.exec(String(text).trim());
  if (!found || !(found[2] || found[3])) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = found;
  const shift = Number(exponent);
  if (Math.abs(shift) > 80) return null;
  let digits = BigInt(whole + fraction || "0");
  let decimals = fraction.length - shift;
  if (decimals < 0) [digits, decimals] = [digits * 10n ** BigInt(-decimals), 0];
  return [sign ? -digits : digits, decimals];
}

/** Return the text of an integer with so many decimals, without trailing zeros. */
export function shown(digits, decimals) {
  const negative = digits < 0n;
  const text = (negative ? -digits : digits).toString().padStart(decimals + 1, "0");
  const whole = text.slice(0, text.length - decimals);
  const fraction = decimals ? text.slice(-decimals).replace(/0+$/, "") : "";
  return (negative ? "-" : "") + whole + (fraction && "." + fraction);
}

function together(a, b) {
  const [[left, leftDecimals], [right, rightDecimals]] = [read(a), read(b)];
  const decimals = Math.max(leftDecimals, rightDecimals);
  return [left * 10n ** BigInt(decimals - leftDecimals), right * 10n ** BigInt(decimals - rightDecimals), decimals];
}

export function add(a, b) {
  const [left, right, decimals] = together(a, b);
  return shown(left + right, decimals);
}

export function subtract(a, b) {
  const [left, right, decimals] = together(a, b);
  return shown(left - right, decimals);
}

export function times(a, b) {
  const [[left, leftDecimals], [right, rightDecimals]] = [read(a), read(b)];
  return shown(left * right, leftDecimals + rightDecimals);
}

/** Return a number below, at or above 0, as a is below, at or above b. */
export function compare(a, b) {
  const [left, right] = together(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export const isPositive = (text) => read(text) !== null && read(text)[0] > 0n;

/** Return a text for people: the whole part in groups of three, and so many decimals at most (cut, with a mark). */
export function forPeople(text, most = 8) {
  const [sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)?.slice(1) ?? ["", String(text)];
  const cut = fraction.slice(0, most);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, " ");
  return sign + grouped + (cut && "." + cut) + (fraction.length > most ? "…" : "");
}

/** Return a JSON text's value with each number as its text, so that no digit is lost. */
export function parseJson(text) {
  return JSON.parse(text, (_name, value, context) =>
    typeof value === "number" ? context?.source ?? plain(value) : value);
}

// Browsers that do not show a number's source: what is left of the number.
const plain = (value) => (Number.isInteger(value) ? BigInt(value).toString() : String(value));
