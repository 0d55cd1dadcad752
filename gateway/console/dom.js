// Small helpers: elements from text (never from markup), money, times, and what to say when it fails.

/** el("p", {class: "hint"}, "text", child …); `on` is a map of events. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
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
  const wide = BigInt(nano);
  const sign = wide < 0n ? "−" : "";
  const abs = wide < 0n ? -wide : wide;
  const fraction = String(abs % 1000000000n).padStart(9, "0").replace(/0+$/, "").padEnd(2, "0");
  return `${sign}${(abs / 1000000000n).toLocaleString("en")}.${fraction}`;
}

export const cents = (amount) => (amount / 100).toFixed(2);

/** What somebody typed, in units of 10^-decimals; null when it is no amount. */
export function amount(text, decimals) {
  const found = /^(\d{1,9})(?:\.(\d+))?$/.exec(text.trim());
  if (!found || (found[2] ?? "").length > decimals) return null;
  return Number(BigInt(found[1]) * 10n ** BigInt(decimals) + BigInt((found[2] ?? "").padEnd(decimals, "0") || "0"));
}

export const when = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const GOOD = ["paid", "sent", "succeeded", "active", "agreed", "vindicated", "passed", "ready", "approved"];
const WAIT = ["open", "creating", "held", "running", "probation", "testing", "awaiting_approval", "exported", "enrolled",
  "draining", "busy", "unverified", "cancelled", "scorer", "offline"];

/** A state as a small label; its words are the API's. */
export function tag(state) {
  const kind = GOOD.includes(state) ? "good" : WAIT.includes(state) ? "wait" : "bad";
  return el("span", { class: `tag ${kind}` }, state.replaceAll("_", " "));
}

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

export function notice(text) {
  const place = document.getElementById("notice");
  place.replaceChildren(el("p", {}, text));
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => place.replaceChildren(), 6000);
}

/** A form whose submit is awaited; its errors are said where they happened. */
export function form(submit, ...children) {
  const alert = el("p", { role: "alert" });
  const node = el("form", { class: "sheet", novalidate: true }, children, alert);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = [...node.querySelectorAll("button:enabled")];
    buttons.forEach((button) => (button.disabled = true));
    alert.textContent = "";
    try {
      await submit(new FormData(node));
    } catch (error) {
      alert.textContent = error.message;
    } finally {
      buttons.forEach((button) => (button.disabled = false));
    }
  });
  return node;
}
