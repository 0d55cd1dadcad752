// Tools and answers in JSON with the official `openai` package.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zodResponseFormat } from 'openai/helpers/zod'
import { z } from 'zod'
import { model, newClient } from './demo.js'

const QUESTION = [{ role: 'user', content: 'What is the weather in Berlin?' }]
const SAID = 'Mia is 7 years old and likes red. Answer as JSON with the keys name, age, colour.'
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Tells the weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

test('the helper that runs tools comes back with the answer', async () => {
  const client = await newClient()
  for (const stream of [false, true]) {
    const asked = []
    const tool = {
      ...weather,
      function: {
        ...weather.function, parse: JSON.parse, function: ({ city }) => (asked.push(city), 'sunny'),
      },
    }
    const runner = client.chat.completions.runTools({
      model, messages: QUESTION, tools: [tool], temperature: 0, stream,
    })
    assert.equal(await runner.finalContent(), 'The weather in Berlin: sunny.')
    assert.deepEqual(asked, ['Berlin'])
  }
})

test('a streamed call has its index in every piece, id and name in the first', async () => {
  const client = await newClient()
  const ask = { model, messages: QUESTION, tools: [weather], temperature: 0 }
  const [call] = (await client.chat.completions.create(ask)).choices[0].message.tool_calls
  const pieces = []
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
    pieces.push(...(chunk.choices[0].delta.tool_calls ?? []))
  }
  assert(pieces.every((piece) => piece.index === 0))
  assert(pieces[0].id)
  assert.equal(pieces[0].function.name, call.function.name)
  assert(pieces.slice(1).every((piece) => piece.id === undefined))
  const written = pieces.map((piece) => piece.function.arguments ?? '').join('')
  assert.equal(written, call.function.arguments)
})

test('the parse helper gives the answer as its schema says', async () => {
  const client = await newClient()
  const person = z.object({ name: z.string(), age: z.int(), colour: z.string() })
  const chat = await client.chat.completions.parse({
    model, messages: [{ role: 'user', content: SAID }], temperature: 0,
    response_format: zodResponseFormat(person, 'person'),
  })
  assert.deepEqual(chat.choices[0].message.parsed, { name: 'Mia', age: 7, colour: 'red' })
})

test('log probabilities come with each token', async () => {
  const client = await newClient()
  const ask = { model, messages: QUESTION, temperature: 0, logprobs: true, top_logprobs: 2 }
  const [choice] = (await client.chat.completions.create(ask)).choices
  const told = choice.logprobs.content
  assert.equal(told.map((token) => token.token).join(''), choice.message.content)
  assert(told.every((token) => token.logprob <= 0 && token.top_logprobs.length === 2))
})
