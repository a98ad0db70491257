// Editing what is to be approved: a review's text, or the arguments of a call that may be edited.

import { difference } from "./diff.js";
import { h, newId } from "./dom.js";
import { same, stringify } from "./exact.js";
import { Field } from "./fields.js";
import { shownOf } from "./words.js";

/** The editor of a question. Its `parts` go into the answer: null if nothing was changed. Raises SyntaxError for what is no JSON. */
export const editorOf = (question, drafts) => (question.action ? new CallEditor(question.action, drafts) : new TextEditor(question, drafts));

class TextEditor {
  constructor(question, drafts) {
    this.text = h("textarea", { id: newId("edit"), rows: 4 });
    this.text.value = question.context;
    // As the field has it, which knows one kind of line ends only.
    this.before = this.text.value;
    this.text.value = drafts.get("edit") ?? this.before;
    this.preview = h("div", { class: "preview" });
    this.fields = [];
    this.node = h("div", { class: "editor" }, h("label", { for: this.text.id }, "The text as it shall be"), this.text, this.preview);
    this.text.addEventListener("input", () => {
      drafts.set("edit", this.text.value);
      this.show();
    });
    this.show();
  }

  get changed() {
    return this.text.value !== this.before;
  }

  get parts() {
    return this.changed ? { value: this.text.value } : null;
  }

  show() {
    this.preview.replaceChildren(...(this.changed ? [h("p", { class: "label" }, "What you change"), difference(this.before, this.text.value)] : []));
  }

  focus() {
    this.text.focus();
  }
}

class CallEditor {
  constructor(action, drafts) {
    this.action = action;
    this.fields = action.editable.map((name) => new Field(fieldOf(action, name), { typed: true }));
    this.preview = h("div", { class: "preview" });
    this.node = h("div", { class: "editor inputs" }, this.fields.map((field) => field.node), this.preview);
    const draft = JSON.parse(drafts.get("edit") ?? "{}");
    for (const field of this.fields) if (field.name in draft) field.draft = draft[field.name];
    this.node.addEventListener("input", () => {
      drafts.set("edit", JSON.stringify(Object.fromEntries(this.edited.map((field) => [field.name, field.draft]))));
      this.show();
    });
    this.show();
  }

  /** The fields in which something else stands than what is asked now. */
  get edited() {
    return this.fields.filter((field) => field.changed);
  }

  /** The arguments that differ from what is asked now. */
  get changes() {
    const found = this.edited.map((field) => [field.name, valueOf(field, this.action)]);
    return found.filter(([name, value]) => !same(value, this.action.arguments[name]));
  }

  get parts() {
    const { changes } = this;
    return changes.length ? { arguments: Object.fromEntries(changes) } : null;
  }

  show() {
    let changes = [];
    try {
      changes = this.changes;
    } catch {
      // What is no JSON yet is said when it is sent.
    }
    const rows = changes.flatMap(([name, value]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, difference(shownOf(this.action, name, this.action.arguments[name]), shownOf(this.action, name, value)))]);
    this.preview.replaceChildren(...(rows.length ? [h("p", { class: "label" }, "What you change"), h("dl", { class: "arguments" }, rows)] : []));
  }

  focus() {
    this.fields[0]?.focus();
  }
}

/** The value of an argument; an emptied text is an empty text, anything else that is emptied is nothing. */
function valueOf(field, action) {
  if (field.value !== undefined) return field.value;
  return typeof action.arguments[field.name] === "string" ? "" : null;
}

const TYPES = { string: "string", integer: "integer", number: "number", boolean: "boolean" };

/** An argument as a field, by the schema of the tool's arguments. */
function fieldOf(action, name) {
  const schema = action.parameters?.properties?.[name] ?? {};
  const value = action.arguments[name];
  const choices = Array.isArray(schema.enum) && schema.enum.every((each) => typeof each === "string") ? schema.enum : null;
  const long = typeof value === "string" && (value.length > 80 || value.includes("\n"));
  const plain = long ? "text" : TYPES[schema.type] ?? (typeof value === "string" ? "string" : "json");
  const type = choices ? "choice" : plain;
  const filled = type === "json" ? stringify(value, 2) : value;
  const common = { name, label: schema.title ?? name, required: true, description: schema.description ?? "" };
  return { ...common, type, choices: choices ?? [], default: filled, min: schema.minimum, max: schema.maximum, max_length: schema.maxLength };
}
