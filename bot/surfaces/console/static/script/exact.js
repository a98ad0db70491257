// JSON whose numbers keep all of their digits: a browser would round those that it can't hold, and write 1.0 as 1.

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** A word that nobody has used before. */
export const unique = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** In a text instead of such a number. Nobody else can write it: it is another one in each page. */
const MARK = `number ${unique()} `;
const MARKED = new RegExp(`"${MARK}([^"]+)"`, "g");

/** A number that the browser would write in another way. For calculations it is the nearest one. */
class ExactNumber {
  constructor(written) {
    this.written = written;
  }

  valueOf() {
    return Number(this.written);
  }

  toString() {
    return this.written;
  }

  toJSON() {
    return MARK + this.written;
  }
}

/** A JSON value. Raises SyntaxError. */
export function parse(text) {
  const marked = text.replace(TOKENS, (token) => (token[0] === '"' || String(Number(token)) === token ? token : `"${MARK}${token}"`));
  return JSON.parse(marked, (_, value) => (typeof value === "string" && value.startsWith(MARK) ? new ExactNumber(value.slice(MARK.length)) : value));
}

/** The JSON of a value, with each number as it was read. */
export const stringify = (value, space) => JSON.stringify(value, null, space)?.replace(MARKED, "$1");

/** Whether two values are the same JSON. */
export const same = (one, other) => stringify(one) === stringify(other);
