// Small helpers: elements from text (never from markup), money, times, forms, and what is said aloud.

/** el("p", {class: "hint"}, "text", child …); `on` is a map of events. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Credits from 1e-9 credit, exactly, with at least two decimals. */
export function credits(nano) {
  const [whole, fraction] = decimal(nano < 0 ? -nano : nano).split(".");
  return `${nano < 0 ? "−" : ""}${BigInt(whole).toLocaleString("en")}.${fraction}`;
}

/** The same as it is typed: nothing between the thousands. */
export function decimal(nano) {
  const wide = BigInt(nano);
  return `${wide / 1000000000n}.${String(wide % 1000000000n).padStart(9, "0").replace(/0+$/, "").padEnd(2, "0")}`;
}

export const cents = (amount) => (amount / 100).toFixed(2);

/** What somebody typed, in units of 10^-decimals; null when it is no amount. */
export function amount(text, decimals) {
  const found = /^(\d{1,9})(?:\.(\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? "").length > decimals) return null;
  return Number(BigInt(found[1]) * 10n ** BigInt(decimals) + BigInt((found[2] ?? "").padEnd(decimals, "0") || "0"));
}

export const when = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const GOOD = ["paid", "sent", "succeeded", "active", "agreed", "vindicated", "passed", "trusted", "ready", "approved"];
const WAIT = ["open", "creating", "held", "running", "probation", "testing", "awaiting_approval", "exported", "enrolled",
  "draining", "busy", "unverified", "cancelled", "scorer", "offline"];

/** A state as a small label; its words are the API's. */
export function tag(state) {
  return label(GOOD.includes(state) ? "good" : WAIT.includes(state) ? "wait" : "bad", state.replaceAll("_", " "));
}

/** `kind`: good, wait or bad. */
export const label = (kind, words) => el("span", { class: `tag ${kind}` }, words);

export function figure(name, value, main = false) {
  return el("div", { class: main ? "main" : null }, el("dt", {}, name), el("dd", {}, value));
}

/** A table with a caption for those who cannot see it. */
export function table(caption, heads, rows, empty) {
  if (rows.length === 0) return el("p", { class: "hint" }, empty);
  const head = heads.map(([text, number]) => el("th", { scope: "col", role: "columnheader", class: number ? "n" : null }, text));
  const body = rows.map((cells) => el("tr", { role: "row" }, cells.map((cell, at) =>
    el("td", { role: "cell", "data-label": heads[at][0], class: heads[at][1] ? "n" : null }, cell === "" ? [] : cell))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { role: "table", "aria-label": caption }, el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)), el("tbody", { role: "rowgroup" }, body)));
}

/** What is to be carried elsewhere, to the letter; by a button too where the browser lets pages do that. */
export function copyable(text, name) {
  const copy = () => navigator.clipboard.writeText(text).then(() => notice("Copied."), () => notice("The browser does not let this page copy: select the text."));
  return el("div", { class: "copyable" }, el("pre", { tabindex: "0", "aria-label": name }, el("code", {}, text)),
    navigator.clipboard ? el("button", { class: "second", type: "button", on: { click: copy } }, "Copy") : null);
}

/** The gateway's clauses, for people. */
export const sentence = (clause) => (clause ? `${clause[0].toUpperCase()}${clause.slice(1)}${/[.!?]$/.test(clause) ? "" : "."}` : "");

/** Draws the page anew. */
export const again = () => dispatchEvent(new HashChangeEvent("hashchange"));

export function notice(text) {
  const place = document.getElementById("notice");
  place.replaceChildren(el("p", {}, text));
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => place.replaceChildren(), 6000);
}

const SAID_MAX = 20;

/** Says it to those who listen to the page instead of looking at it. */
export function say(text) {
  const place = document.getElementById("said");
  place.append(el("p", {}, text));
  while (place.children.length > SAID_MAX) place.firstChild.remove();
}

/** A form whose submit is awaited; its errors are said where they happened. */
export function form(submit, ...children) {
  const alert = el("p", { role: "alert" });
  const node = el("form", { class: "sheet", novalidate: true }, children, alert);
  const fields = () => [...node.querySelectorAll("input, textarea")];
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    // Whoever has the button focused keeps it, so it is not disabled.
    if (node.getAttribute("aria-busy") === "true") return;
    alert.textContent = "";
    const empty = fields().find((field) => field.required && !field.value.trim());
    fields().forEach((field) => field.removeAttribute("aria-invalid"));
    if (empty) {
      empty.setAttribute("aria-invalid", "true");
      alert.textContent = `${empty.labels[0].firstChild.textContent} is needed.`;
      return empty.focus();
    }
    node.setAttribute("aria-busy", "true");
    try {
      await submit(new FormData(node));
    } catch (error) {
      alert.textContent = error.message;
    } finally {
      node.removeAttribute("aria-busy");
    }
  });
  return node;
}

const LOOK_EACH_MS = 3000;

/**
 * Draws what `read` gives, and again whenever it is news, as long as the page is shown. Returns `look` to do it now, and a
 * line that says when there is no news because the gateway does not give any.
 */
export async function watch(stillHere, read, draw) {
  const trouble = el("p", { class: "hint", role: "status" });
  let seen = null;
  const look = async () => {
    const found = await read();
    const now = JSON.stringify(found);
    if (now !== seen) draw(found);
    seen = now;
    trouble.textContent = "";
  };
  await look();
  const timer = setInterval(async () => {
    if (!stillHere()) return clearInterval(timer);
    if (document.hidden) return;
    await look().catch((error) => (trouble.textContent = `No news: ${error.message}`));
  }, LOOK_EACH_MS);
  return { look, trouble };
}
