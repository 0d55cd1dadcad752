// Errors arrive as the classes that the official `openai` package documents.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { countingClient, model, newClient, newKey } from './demo.js'

const HELLO = [{ role: 'user', content: 'Hello!' }]
// More requests than a key's bucket holds; see ../gateway.toml.
const MORE_THAN_THE_BURST = 60

async function refused(asking, kind) {
  try {
    await asking
  } catch (error) {
    assert(error instanceof kind, `${error}`)
    return error
  }
  assert.fail(`nobody threw ${kind.name}`)
}

const ask = (client, options = {}) =>
  client.chat.completions.create({ model, messages: HELLO, ...options })

async function useUp(client) {
  const asking = async () => {
    for (let asked = 0; asked < MORE_THAN_THE_BURST; asked++) await client.models.list()
  }
  return refused(asking(), OpenAI.RateLimitError)
}

for (const stream of [false, true]) {
  const how = stream ? 'streaming' : 'plain'

  test(`a wrong key is an authentication error (${how})`, async () => {
    const { client, sent } = await countingClient({ apiKey: 'ak-nonsense', maxRetries: 2 })
    const error = await refused(ask(client, { stream }), OpenAI.AuthenticationError)
    assert.deepEqual([error.status, error.code], [401, 'invalid_api_key'])
    assert(error.requestID)
    assert.equal(sent.length, 1, 'trying again would not help')
  })

  test(`an unknown model is not found (${how})`, async () => {
    const error = await refused(
      ask(await newClient(), { model: 'gpt-0', stream }), OpenAI.NotFoundError,
    )
    assert.deepEqual([error.status, error.code, error.param], [404, 'model_not_found', 'model'])
  })

  test(`no credit is insufficient quota and not tried again (${how})`, async () => {
    const apiKey = await newKey({ creditNano: 0 })
    const { client, sent } = await countingClient({ apiKey, maxRetries: 2 })
    const error = await refused(ask(client, { stream }), OpenAI.RateLimitError)
    assert.deepEqual([error.status, error.type, error.code], [429, 'insufficient_quota', 'insufficient_quota'])
    assert.equal(error.headers.get('x-should-retry'), 'false')
    assert.equal(error.headers.get('retry-after'), null)
    assert.equal(sent.length, 1)
  })
}

test('a bad request names the field', async () => {
  const client = await newClient()
  for (const [wrong, param] of [
    [{ messages: [] }, 'messages'],
    [{ temperature: 3 }, 'temperature'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ n: 129 }, 'n'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
  ]) {
    const error = await refused(ask(client, wrong), OpenAI.BadRequestError)
    assert.deepEqual([error.status, error.type, error.param], [400, 'invalid_request_error', param])
  }
})

test('too many requests say when to come back', async () => {
  const error = await useUp(await newClient())
  assert.deepEqual([error.status, error.type, error.code], [429, 'requests', 'rate_limit_exceeded'])
  assert(Number(error.headers.get('retry-after')) >= 1)
})

test('the SDK waits as told and then gets its answer', async () => {
  const { client, sent } = await countingClient()
  await useUp(client)
  sent.length = 0
  await client.withOptions({ maxRetries: 2 }).models.list()
  assert(sent.length >= 2, 'the first try was refused')
})
