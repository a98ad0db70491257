// What was decided about a question: the same, whether it came with an answer, a stream or a list.

import { h } from "./dom.js";
import { decided, moment } from "./words.js";

/** From the API's `outcome`. */
export const fromOutcome = (outcome) => ({
  action: outcome.action,
  said: outcome.action === "choose" ? outcome.human_feedback : outcome.comment,
  by: outcome.answered_by ? nameOf(outcome.answered_by) : "",
  at: outcome.answered_at,
});

/** From a `human_input_completed` event. */
export const fromEvent = (event) => ({
  action: event.action,
  said: event.human_feedback.replace(/^(Approve|Reject)(: |$)/, ""),
  by: event.answered_by ?? "",
  at: event.timestamp,
});

/** Who it was, and for whom they say they spoke. */
export const nameOf = (actor) => actor.name + (actor.on_behalf_of ? ` for ${actor.on_behalf_of}` : "");

/** In words. */
export function headline(outcome, kind) {
  if (outcome.action === "cancel") return "Withdrawn: the run ended";
  if (outcome.action === "expire") return "No answer before the deadline";
  const what = decided(outcome.action, kind);
  return outcome.by ? `${what} by ${outcome.by}` : `${what}, since nobody answered in time`;
}

/** As an element; it takes the focus that the form had. */
export function outcomeNode(outcome, kind) {
  const said = ["cancel", "expire"].includes(outcome.action) ? "" : outcome.said;
  return h(
    "p",
    { class: `outcome ${outcome.action}`, tabindex: "-1" },
    headline(outcome, kind),
    outcome.at ? moment(outcome.at, " · ") : "",
    said ? h("span", { class: "said" }, said) : "",
  );
}
