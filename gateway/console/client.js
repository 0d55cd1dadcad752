// A client's pages: the playground, credit, usage.

import { ApiError, call, send } from "./api.js";
import { amount, cents, credits, el, figure, form, notice, table, tag, when } from "./dom.js";

const RISKS = [
  ["low", "low: one or two nodes, tokens as they come"],
  ["standard", "standard: three nodes, tokens as two agree"],
  ["high", "high: everything checked before it is shown"],
];

export async function playground() {
  const models = (await call("GET", "/v1/models")).data;
  const answer = el("div", { class: "answer", role: "log", "aria-live": "polite", "aria-label": "Answer" },
    el("span", { class: "received" }, "The answer appears here, and with it how much of it is proven."));
  const verdict = el("div", { class: "verdict", hidden: true, role: "status" });
  const stop = el("button", { class: "second", type: "button", disabled: true }, "Stop");
  let cut = null;
  stop.addEventListener("click", () => cut?.abort());
  const ask = form(async (fields) => {
    cut = new AbortController();
    stop.disabled = false;
    verdict.hidden = true;
    try {
      await stream(fields, answer, verdict, cut.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      notice("Stopped. What was agreed by then is charged.");
    } finally {
      stop.disabled = true;
    }
  },
  el("label", {}, "Message", el("textarea", { name: "message", rows: "4", required: true }, "What is 3 + 4?")),
  el("div", { class: "row" },
    el("label", { class: "grow" }, "Model", el("select", { name: "model" }, models.map((model) => el("option", {}, model.id)))),
    el("label", { class: "wide" }, "Assurance", el("select", { name: "risk" }, RISKS.map(([name, words]) =>
      el("option", { value: name, selected: name === "standard" }, words))))),
  el("div", { class: "row" }, el("button", {}, "Send"), stop));
  ask.querySelector("textarea").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask.requestSubmit();
  });
  return [
    el("div", {}, el("h1", {}, "Playground"), el("p", { class: "lead" }, "Send a message and watch its answer being agreed on, token by token, and then judged.")),
    el("div", { class: "two" }, ask,
      el("section", { class: "sheet", "aria-label": "Answer and verdict" }, answer, verdict,
        el("p", { class: "legend" }, el("span", {}, "received"), el("b", { class: "agreed" }, "agreed by owners"), el("b", { class: "verified" }, "verified")))),
  ];
}

/** One answer: pieces as they are released, then the verdict over all of them. */
async function stream(fields, answer, verdict, signal) {
  const risk = fields.get("risk");
  const body = { model: fields.get("model"), messages: [{ role: "user", content: fields.get("message") }], stream: true, stream_options: { include_usage: true } };
  answer.replaceChildren();
  const response = await send("POST", "/v1/chat/completions", body, { "x-assay-risk": risk }, signal);
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => null));
  const job = response.headers.get("x-assay-job");
  let usage = null, judged = null;
  for await (const event of events(response.body)) {
    if (event.error) {
      for (const piece of answer.children) piece.className = "refused";
      throw new ApiError(0, event);
    }
    const text = event.choices?.[0]?.delta?.content;
    // At standard risk a piece is released because two owners agree on it; at low it may be one's word.
    if (text) answer.append(el("span", { class: risk === "low" ? "received" : "agreed" }, text));
    usage = event.usage ?? usage;
    judged = event.x_assay ?? judged;
  }
  for (const piece of answer.children) piece.className = "verified";
  verdict.replaceChildren(...judgement(judged, usage, job));
  verdict.hidden = false;
}

const RULES = {
  agreement: "Verified by agreement: every owner that was asked gave this answer.",
  majority: "Verified by majority: more owners gave this answer than any other.",
  spot_checks: "Verified by the model itself, position by position.",
};

function judgement(judged, usage, job) {
  if (!judged) return [el("p", {}, "The answer ended without a verdict.")];
  const margin = judged.largest_margin;
  return [
    el("p", {}, RULES[judged.rule] ?? `Verified (${judged.rule}).`),
    el("dl", { class: "pairs" },
      el("dt", {}, "Owners that agree"), el("dd", {}, `${judged.nodes_agreed} of ${judged.nodes_asked}`),
      el("dt", {}, "Positions checked"), el("dd", {}, String(judged.positions_checked)),
      margin === null || margin === undefined ? null : [el("dt", {}, "Largest margin"), el("dd", {}, `${margin} logits`)],
      el("dt", {}, "Tokens"), el("dd", {}, `${usage?.prompt_tokens ?? "?"} in, ${usage?.completion_tokens ?? "?"} out`),
      job ? [el("dt", {}, "Job"), el("dd", { class: "mono" }, job)] : null),
  ];
}

/** The data of a server-sent event stream. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6));
    }
  }
}

export async function credit() {
  const back = new URLSearchParams(location.search).get("top_up");
  // Asking for the payment settles it even if the provider's message was lost.
  const returned = back ? await call("GET", `/v1/credits/top-ups/${encodeURIComponent(back)}`).catch(() => null) : null;
  if (back) history.replaceState(null, "", location.pathname + "#/credit");
  const [balance, topUps, refunds] = await Promise.all([
    call("GET", "/v1/credits"), call("GET", "/v1/credits/top-ups?limit=20"), call("GET", "/v1/credits/refunds?limit=20"),
  ]);
  return [
    el("div", {}, el("h1", {}, "Credit"), el("p", { class: "lead" }, "One credit is one US dollar of stablecoin. You pay for verified answers only.")),
    returned ? el("p", { class: "secret", role: "status" }, returned.state === "paid"
      ? `Your payment of ${cents(returned.amount_cents)} is credited.` : "Your payment is not confirmed yet; it is credited as soon as it is.") : null,
    el("section", { class: "sheet", "aria-label": "Balance" }, el("dl", { class: "figures" },
      figure("Available", credits(balance.available_nano), true), figure("Held for running jobs", credits(balance.held_nano)))),
    el("div", { class: "two" }, topUp(), el("section", { class: "sheet" }, el("h2", {}, "Payments"),
      table("Payments", [["When"], ["Amount", true], ["State"], [""]], topUps.data.map((row) => [
        when(row.created_ms), cents(row.amount_cents), tag(row.state),
        row.url ? el("a", { href: row.url }, "Pay") : row.refundable_cents > 0 ? giveBack(row) : row.reason ? el("span", { class: "hint" }, row.reason) : "",
      ]), "None yet."),
      refunds.data.length ? [el("h2", {}, "Refunds"), table("Refunds", [["When"], ["Amount", true], ["State"], [""]],
        refunds.data.map((row) => [when(row.created_ms), cents(row.amount_cents), tag(row.state), row.reason]), "")] : null)),
  ].filter(Boolean);
}

function topUp() {
  const key = crypto.randomUUID();
  return form(async (fields) => {
    const wanted = amount(fields.get("amount"), 2);
    if (wanted === null) throw new Error("Write an amount in dollars: 5 or 12.50.");
    const row = await call("POST", "/v1/credits/checkout", { amount_cents: wanted }, { "idempotency-key": `${key}-${wanted}` });
    location.assign(row.url);
  },
  el("h2", {}, "Top up"),
  el("label", {}, "Amount in US dollars", el("input", { name: "amount", inputmode: "decimal", autocomplete: "off", value: "10.00", required: true })),
  el("button", {}, "Pay with stablecoin"),
  el("p", { class: "hint" }, "You leave for the payment page and come back here. Unused credit can be given back to where it came from."));
}

function giveBack(row) {
  const key = crypto.randomUUID();
  return el("button", { class: "quiet", type: "button", on: { click: async (event) => {
    event.target.disabled = true;
    try {
      await call("POST", "/v1/credits/refunds", { top_up_id: row.id, amount_cents: row.refundable_cents }, { "idempotency-key": key });
      notice(`${cents(row.refundable_cents)} is on its way back.`);
      dispatchEvent(new HashChangeEvent("hashchange"));
    } catch (error) {
      notice(error.message);
      event.target.disabled = false;
    }
  } } }, `Give ${cents(row.refundable_cents)} back`);
}

export async function usage() {
  const jobs = (await call("GET", "/v1/credits/requests?limit=50")).data;
  return [
    el("div", {}, el("h1", {}, "Usage"), el("p", { class: "lead" }, "Every request of this account: what it cost, what came back, and how it was verified.")),
    el("section", { class: "sheet" }, table("Requests", [["When"], ["Model"], ["State"], ["Tokens", true], ["Cost", true], ["Verdict"]],
      jobs.map((job) => [when(job.created_ms), [job.model, el("span", { class: "hint" }, job.risk)], tag(job.state),
        `${job.prompt_tokens} + ${job.completion_tokens}`, credits(job.cost_nano),
        job.verdict ? `${job.verdict.rule.replaceAll("_", " ")}, ${job.verdict.nodes_agreed} of ${job.verdict.nodes_asked}` : el("span", { class: "hint" }, job.reason)]),
      "No requests yet. The playground is a good place to start.")),
  ];
}
