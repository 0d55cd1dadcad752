// Plain and streaming chats with the official `openai` package.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endToken, endedJob, model, newClient } from './demo.js'

const HELLO = [{ role: 'user', content: 'Hello!' }]
const STORY = [{ role: 'user', content: 'Tell me a story.' }]

const ask = (client, options = {}) =>
  client.chat.completions.create({ model, messages: HELLO, temperature: 0, ...options })

async function chunksOf(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')

test('a plain chat has everything that the SDK declares', async () => {
  const chat = await ask(await newClient())
  assert.match(chat.id, /^chatcmpl-/)
  assert.equal(chat.object, 'chat.completion')
  assert.equal(chat.model, model)
  assert(Math.abs(chat.created - Date.now() / 1000) < 60)
  assert(chat._request_id)
  assert.equal(chat.choices.length, 1)
  const [choice] = chat.choices
  assert.equal(choice.index, 0)
  assert.equal(choice.message.role, 'assistant')
  assert(choice.message.content)
  assert.equal(choice.message.refusal, null)
  assert(['stop', 'length'].includes(choice.finish_reason))
  const { prompt_tokens, completion_tokens, total_tokens } = chat.usage
  assert(prompt_tokens > 0 && completion_tokens > 0)
  assert.equal(total_tokens, prompt_tokens + completion_tokens)
})

test('a stream says the same as a plain chat', async () => {
  const client = await newClient()
  const plain = await ask(client)
  const chunks = await chunksOf(await ask(client, { stream: true }))
  assert.equal(textOf(chunks), plain.choices[0].message.content)
  assert.equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size, 1)
  assert.equal(chunks[0].choices[0].delta.role, 'assistant')
  const finishes = chunks.map((chunk) => chunk.choices[0].finish_reason)
  assert.equal(finishes.pop(), plain.choices[0].finish_reason)
  assert(finishes.every((finish) => finish === null))
  assert(chunks.every((chunk) => chunk.usage === undefined))
})

test('the verdict comes with a plain chat and in the last chunk of a stream', async () => {
  const client = await newClient()
  const verification = { risk: 'high', release: 'agreed', checks: 3, nonce: 'my own' }
  const plain = await ask(client, { verification })
  assert.equal(plain.x_assay.policy, 'high')
  const chunks = await chunksOf(await ask(client, { stream: true, verification }))
  const { x_assay: verdict } = chunks.pop()
  assert(chunks.every((chunk) => chunk.x_assay === undefined))
  assert.equal(verdict.nodes_asked, 3)
  assert.equal(typeof verdict.audited, 'boolean')
  assert(verdict.positions_checked > 0)
})

test('usage comes once at the end of a stream that asks for it', async () => {
  const client = await newClient()
  const plain = await ask(client)
  const chunks = await chunksOf(
    await ask(client, { stream: true, stream_options: { include_usage: true } }),
  )
  const last = chunks.pop()
  assert(chunks.every((chunk) => chunk.choices.length === 1 && chunk.usage === null))
  assert.deepEqual(last.choices, [])
  assert.deepEqual(last.usage, plain.usage)
})

test('the stream helper accumulates the answer', async () => {
  const client = await newClient()
  const stream = client.chat.completions.stream({ model, messages: HELLO, temperature: 0 })
  const final = await stream.finalChatCompletion()
  assert.equal(final.choices[0].message.content, (await ask(client)).choices[0].message.content)
})

test('max tokens end an answer and say length', async () => {
  const client = await newClient()
  for (const limit of ['max_tokens', 'max_completion_tokens']) {
    const chat = await ask(client, { messages: STORY, [limit]: 2 })
    assert.equal(chat.choices[0].finish_reason, 'length')
    assert.equal(chat.usage.completion_tokens, 2)
  }
})

test('a stop string ends an answer before itself', async () => {
  const client = await newClient()
  const told = { messages: STORY, max_tokens: 40 }
  const whole = (await ask(client, told)).choices[0].message.content
  const stop = whole.slice(whole.length / 2).slice(0, 3)
  const chat = await ask(client, { ...told, stop })
  assert.equal(chat.choices[0].message.content, whole.slice(0, whole.indexOf(stop)))
  assert.equal(chat.choices[0].finish_reason, 'stop')
})

test('a seed gives the same answer again', async () => {
  const client = await newClient()
  const told = async (seed) => {
    const chat = await ask(client, { messages: STORY, temperature: 1.5, seed, max_tokens: 24 })
    return chat.choices[0].message.content
  }
  assert.equal(await told(7), await told(7))
  const others = new Set()
  for (let seed = 0; seed < 5; seed++) others.add(await told(seed))
  assert(others.size > 1, 'other seeds tell other stories')
})

test('who hangs up pays for what came', async () => {
  const client = await newClient()
  // An answer that may not end is long enough to be left.
  const stream = await ask(client, {
    messages: STORY, max_tokens: 900, stream: true, logit_bias: { [endToken]: -100 },
  })
  let id
  for await (const chunk of stream) {
    id = chunk.id
    if (chunk.choices[0].delta.content) break
  }
  const job = await endedJob(id)
  assert.equal(job.state, 'cancelled')
  assert(0 < job.completion_tokens && job.completion_tokens < 900)
  assert(0 < job.cost_nano && job.cost_nano < job.hold_nano)
})

test('models are listed and found', async () => {
  const client = await newClient()
  const ids = []
  for await (const listed of client.models.list()) ids.push(listed.id)
  assert(ids.includes(model))
  assert.equal((await client.models.retrieve(model)).object, 'model')
})
