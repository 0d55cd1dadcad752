// What all tests of the console share: a browser, the demo, and ways to look at a page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

export const ready = JSON.parse(readFileSync(process.env.ASSAY_READY_FILE, "utf8"));
export const WAIT_MS = 60_000;
export const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 900 } };
const QUESTIONS_MAX = 60;
const gateway = new URL(ready.console_url).origin;
let browser;

/** To be said once in each file. */
export function useBrowser() {
  before(async () => (browser = await chromium.launch({ executablePath: process.env.ASSAY_CHROMIUM, args: ["--no-sandbox"] })));
  after(() => browser.close());
}

/** The console in a window of its own; `close` sees whether anything went wrong in it. `init` runs before its scripts do. */
export async function open({ init, ...options } = {}) {
  const context = await browser.newContext({ viewport: WIDTHS.desk, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  if (init) await page.addInitScript(init);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  // What the payment page lacks is its own affair, and a refusal is what some tests ask for.
  const ours = (message) => message.location().url.startsWith(gateway);
  page.on("console", (message) => message.type() === "error" && ours(message) && !/40[01]|409|429|50[13]|ERR_FAILED/.test(message.text()) && errors.push(message.text()));
  await page.goto(ready.console_url);
  return { page, close: async () => { assert.deepEqual(errors, []); await context.close(); } };
}

export const nodeOf = (role) => ready.nodes.find((node) => node.role === role);

export async function asClient(page) {
  await page.getByLabel("API key").fill(ready.api_key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await heading(page, "Playground");
}

export async function asOperator(page, secret) {
  await page.getByRole("tab", { name: "I run nodes" }).click();
  await page.getByLabel("Operator secret").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await heading(page, "Nodes");
}

export const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

export async function go(page, name) {
  await page.getByRole("link", { name, exact: true }).click();
  await heading(page, name);
}

/** A call of the API, past the console. */
export async function api(path, token, body) {
  const answer = await fetch(`${gateway}${path}`, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json().catch(() => null) };
}

/** A job that runs, as an operator is told of it. */
export const runningJob = (id, more) => ({ job_id: `01a0-${id}`, node_id: "a-node", model: ready.model, kind: "generate", round: 1, tokens: 0, since_ms: Date.UTC(2040, 0, 2, 12), ...more });

/** Says that what `now` gives is running. */
export const withRunning = (page, now) => page.route("**/operator/v1/jobs/running", (route) => route.fulfill({ json: now() }));

const asked = (content) => ({ model: ready.model, messages: [{ role: "user", content }] });

/** Asks until this operator has what is wanted; not every question goes to every node. */
export async function askUntil(node, has) {
  const { token } = (await api("/operator/v1/login", "", { secret: node.operator_secret })).body;
  const look = async (path) => (await api(`/operator/v1/${path}`, token)).body;
  for (let number = 1; number <= QUESTIONS_MAX; number += 1) {
    if (await has(look, node)) return settled();
    await api("/v1/chat/completions", ready.api_key, asked(`What is ${number} + 4?`));
    await pause(200);
  }
  assert.fail(`${node.role} was asked too seldom`);
}

/** Until nothing is held: answers are settled a moment after they were given. */
export const settled = () => until("all is settled", async () => (await api("/v1/credits", ready.api_key)).body.held_nano === 0);

export const hasEarned = async (look, node) =>
  (await look("earnings")).available_nano > 5_000 && (await look(`nodes/${node.id}/reputation`)).data.length > 1;
export const wasCaught = async (look) => (await look("jobs?pay=unpaid")).data.some((part) => part.outcome.startsWith("failed_"));

/** Waits until it holds, as long as anything here may take. */
export async function until(what, holds) {
  const end = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await pause(50);
  }
}
