// The record of a decision, for people who weren't there: what was asked of whom, who said what, and what ran.

import { get } from "./api.js";
import { CallNode, howOf } from "./call.js";
import { difference } from "./diff.js";
import { h } from "./dom.js";
import { prose } from "./markdown.js";
import { fromOutcome, headline, valueRows } from "./outcome.js";
import { whoDecides } from "./policy.js";
import { KINDS, decided, exact, shown, shownOf } from "./words.js";

const SURFACES = { slack: "in Slack", teams: "in Teams", http: "over the API", console: "in the console", terminal: "at a terminal" };
const AUTHENTICATED = {
  slack: "verified by Slack's signature",
  teams: "verified by the Bot Framework's token",
  api_key: "by API key",
  session: "signed in to the console",
  local: "as the user of the server's machine",
};
const STANDINGS = {
  counted: "counts",
  replaced: "replaced by a later answer",
  taken_back: "taken back later",
  outdated: "void: what was approved was edited afterwards",
  fell_out: "counts no more: may no longer decide",
  withdrawal: "",
};
const WITHOUT_PEOPLE = { expire: "Nobody answered before the deadline.", cancel: "It was withdrawn, because the run ended." };

export function recordView(_, [id]) {
  const title = h("h1", { tabindex: "-1" }, "Record of a decision");
  const body = h("div", { class: "record" });
  const node = h("div", { class: "view" }, title, body);
  get(`/questions/${id}/record`).then(
    (record) => body.replaceChildren(...sections(record)),
    (problem) => body.replaceChildren(h("p", { class: "problem", role: "alert" }, problem.message)),
  );
  return { node, title: "Record", close: () => {} };
}

function sections(record) {
  return [
    summary(record),
    section("What was asked", record.versions.map((version, index) => versionNode(version, index, record))),
    section("Who could decide", [policyNode(record.policy)]),
    section("Who opened all of it", opened(record)),
    section("Who said what", responses(record)),
    record.versions.at(-1)?.action ? section("What ran", ran(record)) : "",
    section("For programs", [h("p", { class: "hint" }, "Question ", h("code", {}, record.question_id), ", run ", h("a", { href: `#/runs/${record.run_id}` }, h("code", {}, record.run_id)), ". "), h("p", {}, h("a", { href: `/questions/${record.question_id}/record` }, "This record as JSON"))]),
  ].filter(Boolean);
}

const section = (title, children) => h("section", {}, h("h2", {}, title), children.length ? children : h("p", { class: "hint" }, "Nothing was recorded."));

function summary(record) {
  const { outcome } = record;
  const version = record.versions.at(-1);
  const asked = version.action?.title || version.prompt;
  const said = outcome ? WITHOUT_PEOPLE[outcome.action] ?? `${headline(fromOutcome(outcome), record.kind)}, ${exact(record.settled_at)}.` : `Still open: ${record.progress.approved} of ${record.progress.need}.`;
  const override = outcome?.override ? h("p", { class: "overridden" }, "This was an override: an administrator decided whom the policy doesn't name.") : "";
  return h("div", { class: `verdict ${outcome?.action ?? "open"}` }, h("p", { class: "prompt" }, asked), h("p", { class: "said" }, said), override);
}

function versionNode(version, index, record) {
  const many = record.versions.length > 1;
  const kind = version.action ? "approval of a tool call" : (KINDS[record.kind] ?? "question").toLowerCase();
  const first = `Asked ${exact(record.asked_at)}${record.asker ? ` by ${record.asker}` : ""}, ${kind}.`;
  const editor = record.responses.find((each) => each.digest === version.digest && (each.arguments || each.value));
  const later = `After an edit${editor ? ` by ${editor.by.name}, ${exact(editor.at)}` : ""}.`;
  return h(
    "article",
    { class: "version" },
    many ? h("h3", {}, `Version ${index + 1}`) : "",
    h("p", { class: "hint" }, index ? later : first),
    version.action ? h("p", { class: "how" }, version.action.title ? `${version.action.title} · ` : "", howOf(version.action)) : "",
    version.action?.title === version.prompt ? "" : h("p", { class: "prompt" }, version.prompt),
    version.changes.length ? changes(version) : "",
    version.action ? new CallNode({ ...version.action, proposed: undefined }).node : "",
    version.context ? h("div", { class: "context" }, prose(version.context)) : "",
    h("p", { class: "digest" }, "Digest ", h("code", {}, version.digest)),
  );
}

function changes({ action, changes: found }) {
  const rows = found.flatMap(({ part, before, after }) => {
    const name = part.replace(/^arguments\./, "");
    const words = (value) => (action ? shownOf(action, name, value) : shown(value));
    return [h("dt", {}, h("code", {}, name)), h("dd", {}, difference(words(before), words(after)))];
  });
  return h("div", { class: "changed" }, h("p", { class: "label" }, "What the edit changed"), h("dl", { class: "arguments" }, rows));
}

function policyNode(policy) {
  const words = policy.who.length ? `${whoDecides({ ...policy, not: policy.excluded })}.` : policy.need === 1 ? "Any one of the crew's approvers." : `Takes ${policy.need} of the crew's approvers.`;
  const rows = [
    ["Policy", policy.name ? `${policy.name}, version ${policy.version}` : "the crew's approvers"],
    ["A rejection", policy.on_reject === "ends" ? "ends it" : "counts until approval is out of reach"],
    ["Who is meant", policy.deciders.map((each) => (each === "*" ? "anyone" : each)).join(", ")],
    ["Excluded", policy.excluded_identities.join(", ")],
    ...Object.entries(policy.groups).map(([name, members]) => [`Group ${name}`, members.join(", ")]),
  ];
  return h("div", {}, h("p", {}, words), h("dl", { class: "facts" }, rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

function opened(record) {
  if (!record.opened.length) return [h("p", { class: "hint" }, "Nobody is recorded as having opened all of it; reading by a program isn't recorded.")];
  return [h("ul", { class: "plain" }, record.opened.map((each) => h("li", {}, `${person(each.by)}, ${exact(each.at)}${versionOf(record, each.digest)}`)))];
}

function versionOf(record, digest) {
  const at = record.versions.findIndex((version) => version.digest === digest);
  return record.versions.length > 1 && at >= 0 ? `, version ${at + 1}` : "";
}

const person = (by) => `${by.name}${by.on_behalf_of ? ` for ${by.on_behalf_of}` : ""} ${SURFACES[by.surface] ?? `in ${by.surface}`}`;

function responses(record) {
  if (!record.responses.length) return [h("p", { class: "hint" }, "Nobody answered.")];
  return [h("ol", { class: "said" }, record.responses.map((each) => response(each, record)))];
}

function response(each, record) {
  const what = each.action === "choose" ? `chose “${record.options.find((option) => option.id === each.value)?.label ?? each.value}”` : (decided(each.action, record.kind) ?? each.action).toLowerCase();
  const edits = each.arguments || (each.action === "approve" && each.value !== null) ? ", with changes" : "";
  const standing = STANDINGS[each.standing] ?? each.standing;
  return h(
    "li",
    { class: each.standing },
    h("p", {}, h("strong", {}, each.by.name), ` ${what}${edits} `, h("span", { class: "soft" }, `${exact(each.at)}${versionOf(record, each.digest)}`)),
    each.override ? h("p", { class: "overridden" }, "As an override: the policy doesn't name them.") : "",
    each.comment ? h("blockquote", {}, each.comment) : "",
    each.values ? h("dl", { class: "arguments" }, valueRows(each.values)) : "",
    h("p", { class: "hint" }, [person(each.by).slice(each.by.name.length + 1), AUTHENTICATED[each.by.authentication] ?? each.by.authentication, each.by.identity, standing].filter(Boolean).join(" · ")),
  );
}

function ran(record) {
  const { executed } = record;
  if (executed) {
    return [
      h("p", {}, `The call was made, ${exact(executed.at)}.`),
      h("p", { class: "digest" }, "Digest of the call ", h("code", {}, executed.call_digest)),
      h("p", { class: "digest" }, "Digest of its result ", h("code", {}, executed.result_digest)),
    ];
  }
  if (!record.outcome) return [h("p", { class: "hint" }, "Nothing ran yet: the question is open.")];
  const approved = record.outcome.action === "approve";
  return [h("p", {}, approved ? "It is not recorded that the call was made: it may not have been made yet, or its worker died before it could say so." : "Nothing ran: the call was not approved.")];
}
