// Several choices, raw prompts and idempotency keys with the official `openai` package.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import { endedJob, model, newClient } from './demo.js'

const STORY = [{ role: 'user', content: 'Tell me a story.' }]
const choices = { model, messages: STORY, n: 3, temperature: 1, seed: 5, max_tokens: 12 }

test('each choice has its own verdict, and the usage is what is charged', async () => {
  const client = await newClient()
  const chat = await client.chat.completions.create(choices)
  const receipts = chat.choices.map((choice) => choice.x_assay.receipt)
  assert.equal(new Set(receipts).size, 3)
  assert.equal(chat.id, `chatcmpl-${receipts[0]}`)
  const jobs = await Promise.all(receipts.map(endedJob))
  const sum = jobs.reduce((tokens, job) => tokens + job.completion_tokens, 0)
  assert.equal(chat.usage.completion_tokens, sum)

  const texts = ['', '', '']
  for await (const chunk of await client.chat.completions.create({ ...choices, stream: true })) {
    const [choice] = chunk.choices
    texts[choice.index] += choice.delta.content ?? ''
  }
  assert.deepEqual(texts, chat.choices.map((choice) => choice.message.content))
})

test('a completion goes on from a raw prompt', async () => {
  const client = await newClient()
  const ask = { model, prompt: 'Once upon a time', temperature: 0 }
  const plain = await client.completions.create(ask)
  assert.equal(plain.object, 'text_completion')
  let text = ''
  for await (const chunk of await client.completions.create({ ...ask, stream: true })) {
    text += chunk.choices[0].text
  }
  assert.equal(text, plain.choices[0].text)
  const both = await client.completions.create({ ...ask, prompt: ['Once', 'The cat'], echo: true })
  assert(both.choices[1].text.startsWith('The cat'))
})

test('the same idempotency key gives the same answer', async () => {
  const client = await newClient()
  const told = (body) =>
    client.chat.completions.create(
      { model, messages: STORY, temperature: 1, max_tokens: 12, ...body },
      { idempotencyKey: 'mine', headers: { 'Idempotency-Key': 'mine' } },
    )
  const first = await told()
  assert.deepEqual(await told(), first)
  await assert.rejects(told({ max_tokens: 13 }), OpenAI.UnprocessableEntityError)
})
