// What was decided about a question: the same, whether it came with an answer, a stream or a list.

import { h } from "./dom.js";
import { decided, moment, shown, spoken } from "./words.js";

/** Chat platforms, after the name of somebody who decided there. */
const PLATFORMS = { slack: ", in Slack", teams: ", in Teams" };
const whereFrom = (surface) => PLATFORMS[surface] ?? "";

/** From the API's `outcome`. */
export const fromOutcome = (outcome) => ({
  action: outcome.action,
  said: outcome.action === "choose" ? outcome.human_feedback : outcome.comment,
  by: outcome.answered_by ? nameOf(outcome.answered_by) : "",
  where: whereFrom(outcome.answered_by?.surface),
  at: outcome.answered_at,
  ...details(outcome),
});

/** From a `human_input_completed` event. */
export const fromEvent = (event) => ({
  action: event.action,
  said: ["submit"].includes(event.action) ? "" : event.human_feedback.replace(/^(Approve|Reject)(: |$)/, ""),
  by: event.answered_by ?? "",
  where: whereFrom(event.surface),
  at: event.timestamp,
  ...details(event),
});

const details = (found) => ({ responses: found.responses ?? [], values: found.values ?? null, override: found.override ?? false });

/** Who it was, and for whom they say they spoke. */
export const nameOf = (actor) => actor.name + (actor.on_behalf_of ? ` for ${actor.on_behalf_of}` : "");

/** In words. */
export function headline(outcome, kind) {
  if (outcome.action === "cancel") return "Withdrawn: the run ended";
  if (outcome.action === "expire") return "No answer before the deadline";
  const what = `${decided(outcome.action, kind)}${outcome.override ? " as an administrator" : ""}`;
  return outcome.by ? `${what} by ${people(outcome)}` : `${what}, since nobody answered in time`;
}

/** All who said what was decided, the one whose response settled it last. */
function people(outcome) {
  const same = (outcome.responses ?? []).filter((each) => each.action === outcome.action && !outcome.by.startsWith(each.answered_by));
  const others = [...new Set(same.map((each) => each.answered_by + whereFrom(each.surface)))];
  const last = outcome.by + (outcome.where ?? "");
  return others.length ? `${others.join(", ")} and ${last}` : last;
}

/** As an element; it takes the focus that the form had. */
export function outcomeNode(outcome, { kind, fields }) {
  const said = ["cancel", "expire"].includes(outcome.action) ? "" : outcome.said;
  return h(
    "div",
    { class: `outcome ${outcome.action}`, tabindex: "-1" },
    headline(outcome, kind),
    outcome.at ? moment(outcome.at, " · ") : "",
    outcome.override ? h("span", { class: "said overridden" }, "Override: the policy doesn't name whoever decided.") : "",
    said ? h("span", { class: "said" }, said) : "",
    outcome.values ? h("dl", { class: "arguments" }, valueRows(outcome.values, fields)) : "",
  );
}

/** A form's values, by the labels that were shown. */
export const valueRows = (values, fields = []) => {
  const labels = new Map(fields.map((field) => [field.name, field.label]));
  return Object.entries(values).flatMap(([name, value]) => [h("dt", {}, labels.get(name) || spoken(name)), h("dd", {}, h("div", { class: "value" }, shown(value)))]);
};
