// What things are called, and when they were.

import { stringify } from "./exact.js";

export const KINDS = { approval: "Approval", choice: "Choice", text: "Question", form: "Form", review: "Review" };

export const STATES = {
  queued: "Queued",
  running: "Running",
  input_required: "Waiting for an answer",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

const DONE = { approve: "Approved", reject: "Rejected", choose: "Chosen", respond: "Answered", submit: "Filled in", withdraw: "Taken back" };

/** What was decided, in two words; null if nobody decided. */
export function decided(action, kind) {
  if (kind === "review" && action === "respond") return "Changes requested";
  if (kind === "form" && action === "reject") return "Declined";
  return DONE[action] ?? null;
}

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const STEPS = [[3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];

/** "5 minutes ago". */
export function ago(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  if (Math.abs(seconds) < 45) return seconds > 0 ? "in a moment" : "just now";
  const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return RELATIVE.format(Math.round(seconds / size), unit);
}

/** A moment, in words that stay true: each is looked at again now and then. */
export function moment(iso, before = "") {
  const node = document.createElement("time");
  node.dateTime = iso;
  node.dataset.before = before;
  node.title = FULL.format(new Date(iso));
  node.textContent = before + ago(iso);
  return node;
}

/** A moment by the clock: "10:42", with the day unless it is today. */
export function clock(iso) {
  const at = new Date(iso);
  const today = DAY.format(at) === DAY.format(new Date());
  return today ? CLOCK.format(at) : FULL.format(at);
}

/** A moment to the second, with its time zone, for records. */
export const exact = (iso) => EXACT.format(new Date(iso));

/** Bring all moments on the page up to date. */
export function refreshMoments() {
  for (const node of document.querySelectorAll("time[data-before]")) {
    const words = node.dataset.before + ago(node.dateTime);
    if (node.textContent !== words) node.textContent = words;
  }
}

/** `main_input` -> "Main input". */
export function spoken(name) {
  const words = name.replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The file that is the value of an input, or null. */
export const fileOf = (value) => (typeof value === "object" && typeof value?.file === "object" ? value.file : null);

/** A size in bytes: "1.5 MB". */
export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  const [unit, scale] = bytes < 1024 * 1024 ? ["kB", 1024] : ["MB", 1024 * 1024];
  return `${Number((bytes / scale).toFixed(1))} ${unit}`;
}

/** A run's inputs in one line. */
export const summary = (inputs) => Object.values(inputs ?? {}).map((value) => fileOf(value)?.name ?? value).filter((value) => typeof value === "string" && value).join(" · ");

/** How values that are no texts are shown. */
const NO_TEXTS = new Set(["nothing", "yes", "no"]);
const OTHER_NOTATIONS = /^(null|none|true|false|nothing|yes|no|nan|inf|infinity|[-+]?(\p{Nd}[\p{Nd}_]*\.?[\p{Nd}_]*|\.\p{Nd}+)(e[-+]?\p{Nd}+)?)$/iu;

/** A JSON value as people read it. A text stands in quotes where its ends couldn't be seen, or it could be taken for another value. */
export function shown(value, textOnly = true) {
  if (typeof value === "string") return needsQuotes(value, textOnly) ? stringify(value) : value;
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return stringify(value, 2);
}

/** A value of a call's argument; `5` is a text without quotes only where it can only be a text. */
export const shownOf = (action, name, value) => shown(value, Boolean(action.text_only?.includes(name)));

function needsQuotes(text, textOnly) {
  if (!text || text.trim() !== text || NO_TEXTS.has(text) || /^"(.*")?$/s.test(text)) return true;
  return !textOnly && (OTHER_NOTATIONS.test(text) || isList(text));
}

/** Whether it reads as a list or an object. */
function isList(text) {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
