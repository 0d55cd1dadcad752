// Where the demo is, and fresh accounts and keys on it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'

const READY_FILE = process.env.ASSAY_READY_FILE
assert(READY_FILE, 'these tests need a demo: run `cargo xtask test --only sdk`')
const ready = JSON.parse(readFileSync(READY_FILE, 'utf8'))

const CREDIT_NANO = 10 * 1_000_000_000
const JOB_ENDS_WITHIN_MS = 20_000

export const model = ready.model
export const baseURL = ready.base_url
const modelDir = process.env.ASSAY_MODEL_DIR
const manifest = JSON.parse(readFileSync(`${modelDir}/manifest.json`, 'utf8'))
/** The token that ends the model's answers. */
export const endToken = manifest.end_tokens[0]

export async function admin(method, path, body) {
  const response = await fetch(`${ready.admin_url}/${path}`, {
    method,
    headers: { authorization: `Bearer ${ready.admin_token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  })
  assert(response.ok, `${method} ${path}: ${response.status}`)
  return JSON.parse((await response.text()) || 'null')
}

/** A key of a new account; its own bucket of the rate limit, too. */
export async function newKey({ creditNano = CREDIT_NANO } = {}) {
  const account = await admin('POST', 'accounts', { name: 'sdk' })
  if (creditNano) await admin('POST', `accounts/${account.id}/credits`, { amount_nano: creditNano })
  return (await admin('POST', 'keys', { account_id: account.id, name: 'sdk' })).key
}

/** A client, and the requests that it really sends. */
export async function countingClient(options = {}) {
  const sent = []
  const counting = (...request) => (sent.push(request), fetch(...request))
  const apiKey = options.apiKey ?? (await newKey())
  const client = new OpenAI({
    baseURL: ready.base_url, maxRetries: 0, timeout: 60_000, fetch: counting, ...options, apiKey,
  })
  return { client, sent }
}

export async function newClient(options) {
  return (await countingClient(options)).client
}

/** The job behind an answer, once its money is settled. */
export async function endedJob(completionId) {
  const deadline = Date.now() + JOB_ENDS_WITHIN_MS
  for (;;) {
    const job = await admin('GET', `jobs/${completionId.replace('chatcmpl-', '')}`)
    if (job.state !== 'running') return job
    assert(Date.now() < deadline, `job ${job.id} still runs`)
    await pause(50)
  }
}
