// The console in a real browser: signing in, asking and watching the verdict, paying, earning, taking out; by mouse
// and by keyboard, light and dark, on a phone's width and a desk's.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const ready = JSON.parse(readFileSync(process.env.ASSAY_READY_FILE, "utf8"));
const shots = process.env.ASSAY_SHOTS_DIR;
const WAIT_MS = 60_000;
const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 900 } };
let browser;

before(async () => {
  if (shots) mkdirSync(shots, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.ASSAY_CHROMIUM, args: ["--no-sandbox"] });
});
after(() => browser.close());

async function open(options = {}) {
  const context = await browser.newContext({ viewport: WIDTHS.desk, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  // What the payment page lacks is its own affair, and a refusal is what some tests ask for.
  const ours = (message) => message.location().url.startsWith(new URL(ready.console_url).origin);
  page.on("console", (message) => message.type() === "error" && ours(message) && !/401|400|409|501/.test(message.text()) && errors.push(message.text()));
  await page.goto(ready.console_url);
  return { page, close: async () => { assert.deepEqual(errors, []); await context.close(); } };
}

async function asClient(page) {
  await page.getByLabel("API key").fill(ready.api_key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Playground" }).waitFor();
}

async function asOperator(page, secret) {
  await page.getByRole("tab", { name: "I run nodes" }).click();
  await page.getByLabel("Operator secret").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Nodes", exact: true }).waitFor();
}

const worker = ready.nodes.find((node) => node.role === "worker");

test("a wrong key is refused in words, where it was typed", async () => {
  const { page, close } = await open();
  await page.getByLabel("API key").fill("ak-wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "Incorrect API key" }).waitFor();
  await close();
});

test("an answer is shown as it is agreed on, and then its verdict", async () => {
  const { page, close } = await open();
  await asClient(page);
  await page.getByLabel("Message").fill("What is 3 + 4?");
  await page.getByLabel("Message").press("Control+Enter");
  await page.getByText("Owners that agree").waitFor();
  const pieces = page.locator(".answer span.verified");
  assert.ok((await pieces.count()) > 0, "every piece is verified in the end");
  assert.match(await page.locator(".verdict").innerText(), /Verified/);
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByRole("region", { name: "Requests" }).waitFor();
  await close();
});

test("a client tops up at the payment page and comes back with credit", async () => {
  const { page, close } = await open();
  await asClient(page);
  await page.getByRole("link", { name: "Credit" }).click();
  await page.getByLabel("Amount in US dollars").fill("12.50");
  await page.getByRole("button", { name: "Pay with stablecoin" }).click();
  await page.getByRole("button", { name: /Pay 12.50/ }).click();
  await page.getByText("Your payment of 12.50 is credited.").waitFor();
  await close();
});

test("an operator sees nodes, jobs with reasons, earnings, and takes them out", async () => {
  const { page, close } = await open();
  await asOperator(page, worker.operator_secret);
  await page.locator(".tag").first().waitFor();
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.getByText(/Evidence|Why, and the evidence/).first().click();
  await page.getByText("margin_allowed").first().waitFor();
  await page.getByRole("link", { name: "Earnings" }).click();
  await page.getByLabel("USDC account").fill(`0x${"a5".repeat(20)}`);
  await page.getByRole("button", { name: "Set address" }).click();
  const withdraw = page.getByRole("button", { name: "Withdraw" });
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((b) => b.textContent === "Withdraw" && !b.disabled));
  await withdraw.click();
  await page.locator("td .tag", { hasText: "sent" }).first().waitFor();
  await page.getByRole("link", { name: "Reputation" }).click();
  await page.getByRole("meter").first().waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("tab", { name: "I build apps" }).waitFor();
  await close();
});

test("everything can be reached by keyboard and has a name", async () => {
  const { page, close } = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await asClient(page);
  for (const name of ["Playground", "Credit", "Usage"]) {
    await page.getByRole("link", { name }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name }).waitFor();
    const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select, textarea")]
      .filter((node) => !node.innerText?.trim() && !node.labels?.length && !node.getAttribute("aria-label")).map((node) => node.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await page.locator("h1").count(), 1);
  }
  await close();
});

for (const [width, viewport] of Object.entries(WIDTHS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`nothing overflows: ${width}, ${colorScheme}`, async () => {
      const { page, close } = await open({ viewport, colorScheme });
      const look = async (name) => {
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${name} is ${over} px too wide`);
        if (shots) await page.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      };
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), colorScheme);
      await look("welcome");
      await asClient(page);
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText("Owners that agree").waitFor();
      await look("playground");
      for (const name of ["Credit", "Usage"]) {
        await page.getByRole("link", { name }).click();
        await page.getByRole("heading", { level: 1, name }).waitFor();
        await look(name.toLowerCase());
      }
      await page.getByRole("button", { name: "Sign out" }).click();
      await asOperator(page, worker.operator_secret);
      await look("nodes");
      for (const name of ["Jobs", "Earnings", "Reputation"]) {
        await page.getByRole("link", { name }).click();
        await page.getByRole("heading", { level: 1, name }).waitFor();
        await look(name.toLowerCase());
      }
      await close();
    });
  }
}
