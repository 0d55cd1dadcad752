// Embeddings with the official `openai` package, which asks for base64 and decodes whatever comes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newClient } from './demo.js'

const model = 'assay-pip-embedder'
const input = ['Who are you?', 'What is your name?', 'How much is two and three?']
const likeness = (one, other) => one.reduce((sum, value, at) => sum + value * other[at], 0)

test('vectors come in order, and say what is alike', async () => {
  const client = await newClient()
  const made = await client.embeddings.create({ model, input })
  assert.deepEqual(made.data.map((entry) => entry.index), [0, 1, 2])
  const [one, same, other] = made.data.map((entry) => entry.embedding)
  assert.equal(one.length, 128)
  assert(Math.abs(likeness(one, one) - 1) < 1e-5)
  assert(likeness(one, same) > likeness(one, other))
  assert.equal(made.usage.total_tokens, made.usage.prompt_tokens)
})

test('base64 and numbers are the same', async () => {
  const client = await newClient()
  const [byDefault] = (await client.embeddings.create({ model, input: input[0] })).data
  const [numbers] = (await client.embeddings.create({ model, input: input[0], encoding_format: 'float' })).data
  assert.deepEqual(byDefault.embedding.map(Math.fround), numbers.embedding.map(Math.fround))
})
