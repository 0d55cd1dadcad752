// Vercel's AI SDK with both of its providers that speak OpenAI's dialect; the one for OpenAI speaks responses by itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from 'ai'
import { z } from 'zod'
import { baseURL, model, newKey } from './demo.js'

const QUESTION = 'What is the weather in Berlin?'
const SAID = 'Mia is 7 years old and likes red. Answer as JSON with the keys name, age, colour.'

const providers = {
  '@ai-sdk/openai': (apiKey) => createOpenAI({ baseURL, apiKey }),
  '@ai-sdk/openai for chats': (apiKey) => createOpenAI({ baseURL, apiKey }).chat,
  '@ai-sdk/openai-compatible': (apiKey) =>
    createOpenAICompatible({
      name: 'assay', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true,
    }),
}

for (const [name, provider] of Object.entries(providers)) {
  const asking = async (ask, id = model) => ({
    model: provider(await newKey())(id), temperature: 0, maxRetries: 0, ...ask,
  })

  test(`${name}: a stream says and counts the same as a plain answer`, async () => {
    const ask = await asking({ prompt: 'Hello!' })
    const plain = await generateText(ask)
    assert(plain.text)
    assert.equal(plain.finishReason, 'stop')
    assert(plain.usage.inputTokens > 0 && plain.usage.outputTokens > 0)
    const stream = streamText(ask)
    let text = ''
    for await (const piece of stream.textStream) text += piece
    assert.equal(text, plain.text)
    assert.equal(await stream.finishReason, 'stop')
    assert.equal((await stream.usage).totalTokens, plain.usage.totalTokens)
  })

  test(`${name}: an agent answers with what its tool gave`, async () => {
    const asked = []
    const weather = tool({
      description: 'Tells the weather in a city.',
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => (asked.push(city), 'sunny'),
    })
    const ask = await asking({
      prompt: QUESTION, tools: { get_weather: weather }, stopWhen: stepCountIs(3),
    })
    const plain = await generateText(ask)
    assert.equal(plain.text, 'The weather in Berlin: sunny.')
    assert.deepEqual(plain.steps.map((step) => step.finishReason), ['tool-calls', 'stop'])
    assert.equal(await streamText(ask).text, plain.text)
    assert.deepEqual(asked, ['Berlin', 'Berlin'])
  })

  test(`${name}: an object is as its schema says`, async () => {
    const schema = z.object({ name: z.string(), age: z.int(), colour: z.string() })
    const { output } = await generateText(
      await asking({ prompt: SAID, output: Output.object({ schema }) }),
    )
    assert.deepEqual(output, { name: 'Mia', age: 7, colour: 'red' })
  })

  test(`${name}: an unknown model is an error that is not tried again`, async () => {
    const told = await generateText(await asking({ prompt: 'Hello!' }, 'gpt-0')).catch((error) => error)
    assert(APICallError.isInstance(told), `${told}`)
    assert.deepEqual([told.statusCode, told.isRetryable], [404, false])
    assert.equal(told.data.error.code, 'model_not_found')
  })
}
