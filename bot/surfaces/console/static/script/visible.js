// Text with every character in it to be seen, as `bot/core/text.py` writes it: the tests hold the two against each other.
//
// Characters that are not drawn, or that change how others are drawn, are written as their number: `[U+202E]`. What
// ordinary writing needs stays: emoji with their joiners, joiners of Arabic and Indic scripts, up to four marks.

const ODD = /[^\x20-\x7e\n\t]/;
const MOST_MARKS = 4;
const ZWNJ = "\u200c";
const ZWJ = "\u200d";
const TAGGED_FLAGS = ["gbeng", "gbsct", "gbwls"].map((name) => [0x1f3f4, ...[...name].map((letter) => 0xe0000 + letter.codePointAt(0)), 0xe007f]);
const EMOJI = /[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\u{1f000}-\u{1faff}]/u;
const KEYCAP = /[0-9#*]/;
const HAN = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3fffd}]/u;
const NEWER_HAN = /[\u{20000}-\u{2fffd}\u{30000}-\u{3fffd}]/u;
const CURSIVE = /[\u0620-\u07ff\u0840-\u08ff\u1820-\u18aa]/;
const INDIC = /[\u0900-\u0dff]/;
const VIRAMA = /[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d3b\u0d3c\u0d4d\u0dca]/;
const MONGOLIAN = /[\u1820-\u18aa]/;
const DRAWN_FORMAT = /[\u0600-\u0605\u06dd\u070f\u08e2\u{110bd}\u{110cd}]/u;
const BLANK = /[\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5]/;
const MONGOLIAN_VARIATION = /[\u180b-\u180d\u180f]/;
const EMOJI_VARIATION = /[\ufe0e\ufe0f]/;
const VARIATION = /[\u180b-\u180d\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const MARK = /\p{M}/u;
const NEVER_DRAWN = /[\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** The text, in the order in which it is stored. Takes linear time. */
export function visible(text) {
  if (!ODD.test(text)) return text;
  const letters = Array.from(text);
  const shown = [];
  let hidden = "";
  let times = 0;
  let marks = 0;
  for (let at = 0; at < letters.length; ) {
    const length = flagAt(letters, at);
    const kept = length === 1 ? letters[at] : letters.slice(at, at + length).join("");
    marks = MARK.test(letters[at]) ? marks + 1 : 0;
    if (length === 1 && !stays(letters, at, marks)) {
      if (kept !== hidden) {
        shown.push(counted(hidden, times));
        [hidden, times] = [kept, 0];
      }
      times += 1;
    } else {
      shown.push(counted(hidden, times), endsLine(letters, at) ? "" : kept);
      [hidden, times] = ["", 0];
    }
    at += length;
  }
  shown.push(counted(hidden, times));
  return shown.join("");
}

function counted(hidden, times) {
  if (!hidden) return "";
  const number = hidden.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return times === 1 ? `[U+${number}]` : `[U+${number} ×${times}]`;
}

/** How many characters from here on are one flag that is spelt with tags; 1 if it is none. */
function flagAt(letters, at) {
  if (letters[at] !== "\u{1f3f4}") return 1;
  const found = TAGGED_FLAGS.find((flag) => flag.every((code, index) => letters[at + index]?.codePointAt(0) === code));
  return found ? found.length : 1;
}

const endsLine = (letters, at) => letters[at] === "\r" && letters[at + 1] === "\n";

function stays(letters, at, marks) {
  const letter = letters[at];
  if (endsLine(letters, at)) return true;
  if (letter === ZWJ || letter === ZWNJ) return joins(letters, at);
  if (VARIATION.test(letter)) return varies(letter, letters[at - 1] ?? "");
  if (!drawn(letter)) return false;
  return marks === 0 || (marks <= MOST_MARKS && carriesMarks(letters[at - 1] ?? ""));
}

/** Whether the character has a look of its own, whatever stands around it. */
function drawn(letter) {
  if (/\p{Cc}/u.test(letter)) return letter === "\n" || letter === "\t";
  if (NEVER_DRAWN.test(letter)) return false;
  if (/\p{Cf}/u.test(letter)) return DRAWN_FORMAT.test(letter);
  if (/\p{Cn}/u.test(letter)) return NEWER_HAN.test(letter) || EMOJI.test(letter);
  return !BLANK.test(letter);
}

function joins(letters, at) {
  const before = letters[at - 1];
  const after = letters[at + 1];
  if (before === undefined || after === undefined) return false;
  if (letters[at] === ZWJ && EMOJI.test(after)) return EMOJI.test(before === "\ufe0f" && at > 1 ? letters[at - 2] : before);
  if (INDIC.test(before) && (INDIC.test(after) || !/[\p{L}\p{N}]/u.test(after))) return VIRAMA.test(before) || VIRAMA.test(after);
  return letters[at] === ZWNJ && CURSIVE.test(before) && CURSIVE.test(after);
}

function varies(selector, before) {
  if (!before) return false;
  if (EMOJI_VARIATION.test(selector)) return KEYCAP.test(before) || EMOJI.test(before);
  return MONGOLIAN_VARIATION.test(selector) ? MONGOLIAN.test(before) : HAN.test(before);
}

function carriesMarks(before) {
  if (!before || /\s/u.test(before)) return false;
  return drawn(before) || before === ZWJ || before === ZWNJ || VARIATION.test(before);
}
