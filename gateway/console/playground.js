// The playground: a question, its answer as it is agreed on, and what the verdict over it says.

import { ApiError, call, send } from "./api.js";
import { el, form, say } from "./dom.js";
import { STOPPED, broken, judge, report } from "./verdict.js";

const RISKS = [
  ["low", "low: one or two nodes, as it comes"],
  ["standard", "standard: three nodes, as two agree"],
  ["high", "high: checked before it is shown"],
];
/** Listeners get a stream in sentences, and what takes longer in parts. */
const SAY_EACH_MS = 2000;

export async function playground() {
  // One that makes vectors does not talk.
  const models = (await call("GET", "/v1/models")).data.filter((model) => !model.embedding_dimensions);
  const answer = el("div", { class: "answer", role: "group", "aria-label": "Answer" },
    el("span", { class: "hint" }, "The answer appears here, and with it how far it can be relied on."));
  const verdict = el("div", { class: "verdict", role: "group", "aria-label": "Verdict", hidden: true });
  const message = el("textarea", { name: "message", rows: "4", required: true }, "What is 3 + 4?");
  const stop = el("button", { class: "second", type: "button", disabled: true }, "Stop");
  let cut = null;
  stop.addEventListener("click", () => {
    cut?.abort();
    message.focus();
  });
  // Nobody reads it any more.
  addEventListener("hashchange", () => cut?.abort(), { once: true });
  const ask = form(async (fields) => {
    cut = new AbortController();
    stop.disabled = false;
    verdict.hidden = true;
    answer.replaceChildren();
    answer.setAttribute("aria-busy", "true");
    const came = { judged: null, usage: null, job: null };
    let end;
    try {
      await stream(fields, answer, came, cut.signal);
      end = judge(came.judged);
    } catch (error) {
      if (error.name === "AbortError") end = STOPPED;
      else if (answer.hasChildNodes()) end = broken(error.message);
      else throw error;
    } finally {
      stop.disabled = true;
      answer.removeAttribute("aria-busy");
    }
    // What somebody stopped stays as far as it came.
    if (end !== STOPPED) for (const piece of answer.children) piece.className = end[0];
    verdict.replaceChildren(...report(end, came.judged, came.usage, came.job));
    verdict.hidden = false;
    say(verdict.firstChild.textContent);
  },
  el("label", {}, "Message", message),
  el("div", { class: "row" },
    el("label", { class: "grow" }, "Model", el("select", { name: "model" }, models.map((model) => el("option", {}, model.id)))),
    el("label", { class: "wide" }, "Assurance", el("select", { name: "risk" }, RISKS.map(([name, words]) =>
      el("option", { value: name, selected: name === "standard" }, words))))),
  el("p", { class: "hint" }, "Low costs the model’s price once, standard three times, high four times."),
  el("div", { class: "row" }, el("button", {}, "Send"), stop));
  message.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) ask.requestSubmit();
  });
  return [
    el("div", {}, el("h1", {}, "Playground"), el("p", { class: "lead" }, "Send a message and watch its answer being agreed on, token by token, and then judged.")),
    el("div", { class: "two" }, ask, el("section", { class: "sheet", "aria-label": "Answer and verdict" }, el("h2", {}, "Answer"), answer, verdict, legend())),
  ];
}

function legend() {
  const words = [["received", "one owner’s word"], ["agreed", "agreed by owners"], ["trusted", "trusted, not looked at"],
    ["verified", "spot-checked"], ["broken", "not to be relied on"]];
  return el("p", { class: "legend" }, words.map(([grade, meaning]) => el("span", { class: grade }, meaning)));
}

/** Writes the pieces as they are released; what came with them goes into `came`. */
async function stream(fields, answer, came, signal) {
  const risk = fields.get("risk");
  const body = { model: fields.get("model"), messages: [{ role: "user", content: fields.get("message") }], stream: true, stream_options: { include_usage: true } };
  const response = await send("POST", "/v1/chat/completions", body, { "x-assay-risk": risk }, signal);
  if (!response.ok) throw await ApiError.of(response);
  came.job = response.headers.get("x-assay-job");
  const speech = speaker();
  try {
    for await (const event of events(response.body)) {
      if (event.error) throw new ApiError(0, event);
      const text = event.choices?.[0]?.delta?.content;
      // At standard and high risk a piece is released because two owners agree on it; at low it may be one's word.
      if (text) answer.append(el("span", { class: risk === "low" ? "received" : "agreed" }, text));
      if (text) speech.add(text);
      came.usage = event.usage ?? came.usage;
      came.judged = event.x_assay ?? came.judged;
    }
  } finally {
    speech.end();
  }
}

function speaker() {
  let waiting = "", since = performance.now();
  const end = () => {
    if (waiting.trim()) say(waiting);
    waiting = "";
    since = performance.now();
  };
  const add = (text) => {
    waiting += text;
    if (/[.!?\n]\s*$/.test(waiting) || performance.now() - since > SAY_EACH_MS) end();
  };
  return { add, end };
}

/** The data of a server-sent event stream, up to its `[DONE]`: without it the answer is not whole. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await read(reader);
    if (done) throw new Error("The connection ended before the verdict.");
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "data: [DONE]") return;
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error("The connection broke off before the verdict.");
  }
}
