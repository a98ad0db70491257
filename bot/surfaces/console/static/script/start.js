// Start a crew: choose one, and fill in what it needs.

import { get, post, upload } from "./api.js";
import { h, write } from "./dom.js";
import { unique } from "./exact.js";
import { Field, complainAll } from "./fields.js";
import { say } from "./speak.js";

const REFRESH_MS = 5000;
const STARTING_MS = 2000; // while crews are expected
const NO_WORKER = "No worker is up yet: none has announced a crew. Try again in a moment.";

export function startView(context, [name]) {
  const title = h("h1", { tabindex: "-1" }, "Start a crew");
  const lead = h("p", { class: "lead" });
  // Stays where it is while its text changes, so that screen readers read the change.
  const starting = h("p", { class: "note", role: "status", hidden: true });
  const body = h("div", {});
  const node = h("div", { class: "view" }, h("div", {}, title, lead, starting), body);
  const parts = { title, lead, starting, body, name: decoded(name ?? "") };
  const shown = name === undefined ? showCrews : showForm;
  let timer = 0;
  let closed = false;
  let before = "";

  /** Show what there is now, and look again: crews and problems come and go. A form that is shown stays. */
  function show(found) {
    if (closed) return;
    const now = JSON.stringify(found);
    // What hasn't changed stays, with its focus.
    const more = now === before || shown(found, parts);
    before = now;
    if (more) timer = setTimeout(load, found.starting.length ? STARTING_MS : REFRESH_MS);
  }

  function load() {
    get("/crews").then(show, (problem) => {
      if (closed) return;
      // What was shown before is more than that the server is away, which is said above.
      if (!before) body.replaceChildren(h("p", { class: "problem", role: "alert" }, problem.message));
      timer = setTimeout(load, STARTING_MS);
    });
  }

  load();
  return { node, title: "Start", close: () => ((closed = true), clearTimeout(timer)) };
}

/** A part of an address; as it stands, where somebody cut it off in the midst of a letter. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Say whose crews will be there soon. */
function showStarting(node, names) {
  node.hidden = !names.length;
  const are = names.length > 1 ? "are" : "is";
  write(node, names.length ? `${names.join(", ")} ${are} starting. More crews appear here in a moment.` : "");
}

/** What is said where there is no crew at all; of those that are starting is said elsewhere. */
const noneYet = (starting) => (starting.length ? "" : NO_WORKER);

/** Show all crews; returns whether more may come. */
function showCrews({ crews, problems, starting }, parts) {
  write(parts.lead, crews.length ? "Which one shall go to work?" : noneYet(starting));
  showStarting(parts.starting, starting);
  const links = crews.map((crew) =>
    h("li", {}, h("a", { href: `#/start/${encodeURIComponent(crew.name)}` }, h("h2", {}, crew.title), crew.description ? h("p", {}, crew.description) : "")),
  );
  const broken = problems.map((each) => h("li", {}, `${each.name}: ${each.problem}.${each.remedy ? ` ${each.remedy}` : ""}`));
  const section = h("section", { hidden: !broken.length }, h("h2", {}, "Problems"), h("ul", { class: "problem" }, broken));
  const focused = document.activeElement?.closest(".crews a")?.getAttribute("href");
  parts.body.replaceChildren(h("ul", { class: "crews" }, links), section);
  if (focused) [...parts.body.querySelectorAll(".crews a")].find((each) => each.getAttribute("href") === focused)?.focus();
  return true;
}

/** Show the form of one crew; returns whether it may still come. */
function showForm({ crews, starting }, { title, lead, starting: status, body, name }) {
  const crew = crews.find((each) => each.name === name);
  showStarting(status, crew ? [] : starting);
  if (!crew) {
    write(lead, crews.length ? `There is no crew ${name}.` : noneYet(starting));
    body.replaceChildren();
    return true;
  }
  write(title, crew.title);
  write(lead, crew.description);
  body.replaceChildren(inputsForm(crew));
  return false;
}

function inputsForm(crew) {
  const fields = crew.inputs.map((field) => new Field(field));
  const wrong = h("p", { class: "problem", role: "alert", hidden: true });
  const start = h("button", { class: "primary" }, `Start ${crew.title}`);
  const form = h("form", { class: "inputs", novalidate: true }, fields.map((field) => field.node), wrong, h("div", { class: "row" }, start, h("a", { class: "button", href: "#/start" }, "Another crew")));
  // The same word with the same inputs is the same run, however often it is pressed.
  let sent = { body: "", key: "" };
  let busy = false;
  const uploads = new Map();

  async function send() {
    const given = await Promise.all(fields.map(async (field) => [field.name, field.file ? await uploaded(field) : field.value]));
    const inputs = Object.fromEntries(given.filter(([, value]) => value !== undefined));
    const body = JSON.stringify(inputs);
    if (sent.body !== body) sent = { body, key: unique() };
    const run = await post("/crew/start", { crew: crew.name, inputs }, { "Idempotency-Key": sent.key });
    say(`${crew.title} has started.`);
    location.hash = `#/runs/${run.run_id}`;
  }

  /** The id of a field's file, which is uploaded once. */
  async function uploaded(field) {
    if (uploads.get(field)?.file !== field.file) {
      const id = await upload(field.file).catch((problem) => {
        throw Object.assign(problem, { errors: [{ field: field.name, reason: `could not be uploaded: ${problem.message}` }] });
      });
      uploads.set(field, { file: field.file, id });
    }
    return uploads.get(field).id;
  }

  function complain(problem) {
    if (problem.errors.some(({ field }) => uploads.delete(fields.find((each) => `inputs.${each.name}` === field)))) sent = { body: "", key: "" };
    const about = new Map(problem.errors.map(({ field, reason }) => [field.replace(/^inputs\./, ""), reason]));
    const shown = complainAll(fields, about);
    wrong.hidden = shown;
    write(wrong, shown ? "" : problem.message);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    start.setAttribute("aria-disabled", "true");
    await send().catch(complain);
    start.setAttribute("aria-disabled", "false");
    busy = false;
  });
  return form;
}
