// Who may decide, and how far a question is: the same words on each card.

import { h } from "./dom.js";
import { clock, decided } from "./words.js";

/** Who decides, in a sentence; "" where any one of the crew's approvers does. */
export function whoDecides(policy) {
  if (!policy) return "";
  const seats = Object.entries(policy.per_group ?? {}).map(([group, number]) => `${number} of ${group}`);
  const who = policy.who ?? [];
  const among = who.join(", ") || "the crew's approvers";
  const any = policy.need === 1 ? "one person, anyone" : `${policy.need} people, anyone`;
  const people = seats.length ? seats.join(" and ") : among === "anyone" ? any : `${policy.need} of ${among}`;
  const not = policy.not?.length ? `, but not ${policy.not.join(", ")}` : "";
  return `Takes ${people}${not}`;
}

/** The policy as a line: what it takes, its name and its version. */
export function policyLine(policy) {
  if (!policy) return "";
  const named = policy.name ? h("span", { class: "soft" }, ` · policy ${policy.name}, version ${policy.version}`) : "";
  return h("p", { class: "policy" }, whoDecides(policy), named);
}

/** "1 of 2 · Ada, 10:42 · needs one more of finance", as an element that is empty while nobody has answered. */
export function progressLine({ progress, kind, policy, outcome }) {
  const node = h("div", { class: "progress", role: "status" });
  if (outcome || !progress || (!progress.responses.length && !progress.fell_out.length)) return node;
  const people = progress.responses.map((each) => said(each, kind)).join(", ");
  const parts = [`${progress.approved} of ${progress.need}`, people, needs(progress, policy)].filter(Boolean);
  node.append(h("p", {}, parts.join(" · ")));
  for (const each of progress.responses.filter((one) => one.comment)) {
    node.append(h("p", { class: "remark" }, `${each.answered_by}: ${each.comment}`));
  }
  for (const each of progress.fell_out) {
    node.append(h("p", { class: "fell" }, `${said(each, kind)}, counts no more: may no longer decide, or what was approved has changed`));
  }
  return node;
}

function said(response, kind) {
  const what = response.action === "approve" ? "" : ` ${decided(response.action, kind)?.toLowerCase() ?? response.action}`;
  return `${response.answered_by}${what}, ${clock(response.at)}`;
}

function needs(progress, policy) {
  const left = progress.need - progress.approved;
  if (left < 1) return "";
  const grouped = Object.keys(policy?.per_group ?? {}).length > 0;
  const anyone = progress.missing.join() === "anyone";
  const of = progress.missing.length && !anyone ? ` of ${progress.missing.join(grouped ? " and " : ", ")}` : "";
  return `needs ${left === 1 ? "one" : left} more${of}`;
}

const OBJECTIONS = {
  excluded: "Its policy excludes you, in all of your identities.",
  membership: "Its crew doesn't admit guests and external people.",
  not_named: "Its policy doesn't name you.",
  unreadable_group: "A group that its policy names can't be read just now.",
  unverified: "Your account can't be looked up just now: try again in a moment.",
};

/** Why whoever looks can't answer, and who can. */
export function whyNot(question) {
  const why = OBJECTIONS[question.viewer?.objection];
  if (!question.policy || !why) return "Waiting for somebody who may decide this.";
  return `Waiting for others. ${why} ${whoDecides(question.policy)}.`;
}
