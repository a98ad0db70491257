// A control for each type of field: of a crew's inputs, of a form that it asks for, and of the arguments of a call.

import { h, newId, write } from "./dom.js";
import { parse, same } from "./exact.js";
import { sizeOf, spoken } from "./words.js";

const text = (type) => () => h("input", { type });
const CONTROLS = {
  string: text("text"),
  text: () => h("textarea", { rows: 4 }),
  integer: () => h("input", { type: "text", inputmode: "numeric" }),
  number: () => h("input", { type: "text", inputmode: "decimal" }),
  boolean: () => h("input", { type: "checkbox" }),
  date: text("date"),
  time: text("time"),
  datetime: text("datetime-local"),
  email: text("email"),
  url: text("url"),
  file: (field) => h("input", { type: "file", accept: (field.accept ?? []).map((suffix) => `.${suffix}`).join(",") }),
  json: () => h("textarea", { rows: 4, class: "code", spellcheck: "false" }),
  choice: (field) => select([...(field.required && isUnset(field.default) ? [] : [""]), ...field.choices]),
  multi_choice: (field) => h("fieldset", { class: "choices" }, field.choices.map((each) => h("label", {}, h("input", { type: "checkbox", value: each }), each))),
};
const isUnset = (value) => value === null || value === undefined;
const select = (choices) => h("select", {}, choices.map((each) => h("option", { value: each }, each || "–")));

/** One input: its element, its value (undefined: left out), and how to say what is wrong with it. */
export class Field {
  /** `typed`: values have the JSON type of their field; otherwise they are texts. */
  constructor(field, { typed = false } = {}) {
    this.field = field;
    this.name = field.name;
    this.typed = typed;
    this.control = (CONTROLS[field.type] ?? CONTROLS.string)(field);
    this.control.id = newId("input");
    this.isCheck = field.type === "boolean";
    this.isGroup = field.type === "multi_choice";
    if (!this.isGroup) this.control.name = field.name;
    if (field.required && !this.isCheck && !this.isGroup) this.control.required = true;
    if (!isUnset(field.default)) this.fill(field.default);
    /** What is in it as long as nobody changes anything. */
    this.untouched = this.draft;
    const about = [field.description, bounds(field)].filter(Boolean).join(" ");
    this.hint = about ? h("p", { class: "hint", id: newId("hint") }, about) : null;
    this.wrong = h("p", { class: "wrong", id: newId("wrong"), hidden: true });
    this.describe();
    const title = field.label || spoken(field.name);
    const optional = field.required || this.isCheck ? "" : h("span", { class: "optional" }, " (optional)");
    const label = this.isGroup ? null : h("label", { for: this.control.id }, title, optional);
    if (this.isGroup) this.control.prepend(h("legend", { class: "label" }, title, optional));
    const parts = this.isCheck ? [this.control, label] : [label];
    this.node = h("div", { class: this.isCheck ? "field check" : "field" }, parts, this.hint, this.isCheck ? "" : this.control, this.wrong);
  }

  get boxes() {
    return [...this.control.querySelectorAll("input")];
  }

  fill(value) {
    if (this.isCheck) this.control.checked = value === true;
    else if (this.isGroup) for (const box of this.boxes) box.checked = value.includes(box.value);
    else this.control.value = this.field.type === "datetime" ? localTime(value) : String(value);
  }

  get changed() {
    return !same(this.draft, this.untouched);
  }

  /** The file that was chosen, of an input of type `file`. */
  get file() {
    return this.field.type === "file" ? (this.control.files[0] ?? null) : null;
  }

  get value() {
    if (this.isCheck) return this.control.checked;
    if (this.isGroup) {
      const chosen = this.boxes.filter((box) => box.checked).map((box) => box.value);
      return chosen.length || this.typed ? chosen : undefined;
    }
    if (!this.control.value.trim()) return undefined;
    return this.typed ? asTyped(this.field.type, this.control.value) : this.control.value;
  }

  /** What is in it, to be filled in again. */
  get draft() {
    if (this.isCheck) return this.control.checked;
    if (this.isGroup) return this.boxes.filter((box) => box.checked).map((box) => box.value);
    return this.control.value;
  }

  set draft(value) {
    if (this.isCheck || this.isGroup) this.fill(value);
    else this.control.value = value;
  }

  describe() {
    const ids = [this.hint?.id, this.wrong.hidden ? null : this.wrong.id].filter(Boolean).join(" ");
    if (ids) this.control.setAttribute("aria-describedby", ids);
    else this.control.removeAttribute("aria-describedby");
  }

  complain(why) {
    write(this.wrong, why);
    this.wrong.hidden = !why;
    if (why) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
    this.describe();
  }

  focus() {
    (this.isGroup ? this.boxes[0] : this.control)?.focus();
  }
}

/** Put what is wrong under its fields, and the focus into the first of them; whether there was any. */
export function complainAll(fields, about) {
  for (const field of fields) field.complain(about.get(field.name) ? `This ${about.get(field.name)}.` : "");
  const first = fields.find((field) => about.has(field.name));
  first?.focus();
  return Boolean(first);
}

/** What isn't of its type is sent as it was written: the server says what is wrong with it. */
function asTyped(type, written) {
  switch (type) {
    case "integer":
      return /^[+-]?\d{1,300}$/.test(written.trim()) ? parse(written.trim().replace(/^\+?(-?)0*(?=\d)/, "$1")) : written;
    case "number":
      return numberOf(written);
    case "datetime":
      return withOffset(written);
    case "json":
      return parse(written);
    default:
      return written;
  }
}

/** A decimal point, or the comma of people who write one; a number with both may mean two things. */
function numberOf(written) {
  const plain = written.trim();
  if (/^[+-]?\d{1,15}(\.\d{1,15})?$/.test(plain)) return Number(plain);
  const comma = new Intl.NumberFormat().formatToParts(1.5).find((part) => part.type === "decimal")?.value === ",";
  return comma && /^[+-]?\d{1,15},\d{1,15}$/.test(plain) ? Number(plain.replace(",", ".")) : written;
}

/** The browser's local time with its offset from UTC. */
function withOffset(written) {
  const at = new Date(written);
  if (Number.isNaN(at.getTime())) return written;
  const minutes = -at.getTimezoneOffset();
  const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
  const seconds = /T\d\d:\d\d$/.test(written) ? ":00" : "";
  return `${written}${seconds}${minutes < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

function localTime(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The bounds of a field in words. */
function bounds(field) {
  const { min_length: least, max_length: most } = field;
  const [min, max] = [field.min, field.max].map((bound) => (isUnset(bound) ? bound : String(bound).replace(/\.0$/, "")));
  const unit = field.type === "multi_choice" ? "choices" : "characters";
  const said = [];
  if (!isUnset(min) && !isUnset(max)) said.push(`From ${min} to ${max}.`);
  else if (!isUnset(min)) said.push(`At least ${min}.`);
  else if (!isUnset(max)) said.push(`At most ${max}.`);
  if (least) said.push(`At least ${least} ${unit}.`);
  if (!isUnset(most)) said.push(`At most ${most} ${unit}.`);
  if (field.accept?.length) said.push(`Types: ${field.accept.join(", ")}.`);
  if (field.max_size) said.push(`At most ${sizeOf(field.max_size)}.`);
  if (field.type === "datetime") said.push(`In your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`);
  return said.join(" ");
}
