// What things are called, and when they were.

export const KINDS = { approval: "Approval", choice: "Choice", text: "Question", review: "Review" };

export const STATES = {
  queued: "Queued",
  running: "Running",
  input_required: "Waiting for an answer",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

const DONE = { approve: "Approved", reject: "Rejected", choose: "Chosen", respond: "Answered" };

/** What was decided, in two words; null if nobody decided. */
export const decided = (action, kind) => (kind === "review" && action === "respond" ? "Changes requested" : DONE[action] ?? null);

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
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

/** Bring all moments on the page up to date. */
export function refreshMoments() {
  for (const node of document.querySelectorAll("time[datetime]")) {
    const words = (node.dataset.before ?? "") + ago(node.dateTime);
    if (node.textContent !== words) node.textContent = words;
  }
}

/** `main_input` -> "Main input". */
export function spoken(name) {
  const words = name.replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A run's inputs in one line. */
export const summary = (inputs) => Object.values(inputs ?? {}).filter((value) => typeof value === "string" && value).join(" · ");
