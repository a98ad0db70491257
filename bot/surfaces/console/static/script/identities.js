// My identities: the accounts and keys that count as one person, linked by a code from one of them.

import { del, get, post } from "./api.js";
import { h, newId, write } from "./dom.js";
import { say } from "./speak.js";

const SURFACES = { slack: "Slack", teams: "Teams", http: "API key or this machine", console: "Console" };

export function identitiesView() {
  const list = h("ul", { class: "runs identities" });
  const wrong = h("p", { class: "problem", role: "alert", hidden: true });
  const code = h("div", {});
  const asked = h("div", { class: "inputs" });
  const entered = h("input", { type: "text", id: newId("code"), autocomplete: "off", spellcheck: "false", required: true });
  const form = h(
    "form",
    { class: "inputs" },
    h("div", { class: "field" }, h("label", { for: entered.id }, "Code from elsewhere"), entered),
    h("div", { class: "row" }, h("button", { class: "primary" }, "Link")),
  );
  const node = h(
    "div",
    { class: "view" },
    h(
      "div",
      {},
      h("h1", { tabindex: "-1" }, "Your identities"),
      h("p", { class: "lead" }, "All of these are you: they count as one person wherever several people have to decide, and whoever a policy excludes is excluded in all of them."),
    ),
    wrong,
    list,
    h(
      "section",
      { class: "inputs", "aria-labelledby": "another" },
      h("h2", { id: "another" }, "Link another one"),
      h("p", {}, "Get a code in one place, and enter it where you are signed in as the other: here, with /crew link in Slack or Teams, or with crewdeck link at a terminal."),
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => attempt(newCode) }, "Get a code")),
      code,
      form,
      asked,
    ),
  );

  function show({ identities }) {
    const alone = identities.length < 2;
    list.replaceChildren(...identities.map((each) => row(each, alone)));
  }

  function row(identity, alone) {
    const unlink = h("button", { type: "button", class: "no", "aria-label": `Unlink ${identity.name}`, onclick: () => attempt(() => remove(identity)) }, "Unlink");
    const about = `${SURFACES[identity.surface] ?? identity.surface}${identity.current ? " · you are here with it" : ""}`;
    return h("li", { class: "identity" }, h("div", {}, h("span", { class: "title" }, identity.name), h("div", { class: "about" }, about, " · ", h("code", {}, identity.id))), alone ? "" : unlink);
  }

  async function newCode() {
    const made = await post("/me/identities/code", undefined);
    const minutes = Math.round(made.expires_in / 60);
    code.replaceChildren(h("p", { class: "code", role: "status" }, h("code", {}, made.code)), h("p", { class: "hint" }, `It works once, for ${minutes} minutes. Whoever has it can become you: enter it yourself, and give it to nobody.`));
  }

  async function remove(identity) {
    show(await del(`/me/identities?identity=${encodeURIComponent(identity.id)}`));
    say(`${identity.name} is unlinked.`);
  }

  async function attempt(what) {
    wrong.hidden = true;
    try {
      await what();
    } catch (problem) {
      write(wrong, problem.message);
      wrong.hidden = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(confirm);
  });

  /** Say whose code it is first: whoever gives somebody a code may want to pass for them. */
  async function confirm() {
    const bearer = await post("/me/identities/bearer", { code: entered.value.trim() });
    const yes = h("button", { type: "button", class: "primary", onclick: () => attempt(linkNow) }, "Yes, that is me: link us");
    const no = h("button", { type: "button", onclick: () => asked.replaceChildren() }, "No");
    const where = SURFACES[bearer.surface] ?? bearer.surface;
    asked.replaceChildren(h("p", { role: "status" }, `This code is of ${bearer.name} (${where}, ${bearer.id}). Is that you?`), h("div", { class: "row" }, yes, no));
  }

  async function linkNow() {
    show(await post("/me/identities", { code: entered.value.trim() }));
    entered.value = "";
    asked.replaceChildren();
    say("Linked.");
  }

  attempt(async () => show(await get("/me/identities")));
  return { node, title: "Your identities", close: () => {} };
}
