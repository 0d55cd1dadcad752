"""Plain and streaming chats with the official `openai` package."""

import asyncio
import time

import openai

HELLO = [{"role": "user", "content": "Hello!"}]
STORY = [{"role": "user", "content": "Tell me a story."}]


def ask(client, demo, messages=HELLO, **options):
    options = {"temperature": 0, **options}
    return client.chat.completions.create(model=demo.model, messages=messages, **options)


def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_plain_chat_has_everything_that_the_sdk_declares(client, demo):
    before = int(time.time())
    chat = ask(client, demo)
    assert chat.id.startswith("chatcmpl-")
    assert chat.object == "chat.completion"
    assert chat.model == demo.model
    assert before - 1 <= chat.created <= time.time() + 1
    assert chat._request_id
    [choice] = chat.choices
    assert choice.index == 0
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.message.refusal is None
    assert choice.finish_reason in ("stop", "length")
    usage = chat.usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert chat.to_dict().keys() >= {"id", "object", "created", "model", "choices", "usage"}


def test_two_chats_have_different_ids(client, demo):
    assert ask(client, demo).id != ask(client, demo).id


def test_a_stream_says_the_same_as_a_plain_chat(client, demo):
    plain = ask(client, demo)
    chunks = list(ask(client, demo, stream=True))
    assert text_of(chunks) == plain.choices[0].message.content
    assert len({(c.id, c.created, c.model, c.object) for c in chunks}) == 1
    assert chunks[0].object == "chat.completion.chunk"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.choices[0].delta.role is None for c in chunks[1:])
    finishes = [c.choices[0].finish_reason for c in chunks]
    assert finishes[:-1] == [None] * (len(chunks) - 1)
    assert finishes[-1] == plain.choices[0].finish_reason
    assert all(c.usage is None for c in chunks)


def test_usage_comes_once_at_the_end_of_a_stream_that_asks_for_it(client, demo):
    plain = ask(client, demo)
    *chunks, last = ask(client, demo, stream=True, stream_options={"include_usage": True})
    assert all(c.choices and c.usage is None for c in chunks)
    assert last.choices == []
    assert last.usage == plain.usage


def test_the_stream_helper_accumulates_the_answer(client, demo):
    with client.chat.completions.stream(model=demo.model, messages=HELLO, temperature=0) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content == ask(client, demo).choices[0].message.content


def test_the_async_client_streams(demo):
    async def run():
        async with openai.AsyncOpenAI(base_url=demo.base_url, api_key=demo.new_key()["key"]) as client:
            stream = await client.chat.completions.create(
                model=demo.model, messages=HELLO, temperature=0, stream=True
            )
            return [chunk async for chunk in stream]

    assert text_of(asyncio.run(run()))


VERDICT = {
    "rule", "policy", "round", "nodes_asked", "nodes_agreed", "audited", "positions_checked", "largest_margin",
}


def test_a_client_that_checks_every_answer_takes_the_verdict_at_its_end(demo):
    strict = openai.OpenAI(
        base_url=demo.base_url, api_key=demo.new_key()["key"], _strict_response_validation=True
    )
    terms = {"verification": {"risk": "high", "release": "agreed", "checks": 3, "nonce": "my own"}}
    plain = ask(strict, demo, STORY, max_tokens=12, extra_body=terms)
    assert plain.model_extra["x_assay"].keys() >= VERDICT
    assert plain.model_extra["x_assay"]["policy"] == "high"
    for options in ({}, {"stream_options": {"include_usage": True}}):
        stream = ask(strict, demo, STORY, max_tokens=12, stream=True, extra_body=terms, **options)
        *chunks, last = stream
        assert not any("x_assay" in (chunk.model_extra or {}) for chunk in chunks)
        verdict = last.model_extra["x_assay"]
        assert verdict.keys() >= VERDICT
        assert verdict["nodes_asked"] == 3 and verdict["positions_checked"] > 0


def test_max_tokens_ends_an_answer_and_says_length(client, demo):
    for limit in ("max_tokens", "max_completion_tokens"):
        chat = ask(client, demo, STORY, **{limit: 2})
        assert chat.choices[0].finish_reason == "length"
        assert chat.usage.completion_tokens == 2
    *_, last = ask(client, demo, STORY, max_tokens=2, stream=True)
    assert last.choices[0].finish_reason == "length"


def test_a_stop_string_ends_an_answer_before_itself(client, demo):
    whole = ask(client, demo, STORY, max_tokens=40).choices[0].message.content
    stop = whole[len(whole) // 2 :][:3]
    expected = whole[: whole.index(stop)]
    chat = ask(client, demo, STORY, max_tokens=40, stop=stop)
    assert (chat.choices[0].message.content, chat.choices[0].finish_reason) == (expected, "stop")
    chunks = list(ask(client, demo, STORY, max_tokens=40, stop=["never ~ said", stop], stream=True))
    assert (text_of(chunks), chunks[-1].choices[0].finish_reason) == (expected, "stop")


def test_a_seed_gives_the_same_answer_again(client, demo):
    def told(seed):
        chat = ask(client, demo, STORY, temperature=1.5, seed=seed, max_tokens=24)
        return chat.choices[0].message.content

    assert told(7) == told(7)
    assert len({told(seed) for seed in range(5)}) > 1, "other seeds tell other stories"


def test_conversations_content_parts_and_known_fields_are_taken(client, demo):
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hello! How can I help you?"},
        {"role": "user", "content": [{"type": "text", "text": "What is 2 + 3?"}], "name": "ada"},
    ]
    chat = ask(
        client, demo, messages, top_p=0.9, n=1, frequency_penalty=0.1, presence_penalty=0.1, user="ada",
        metadata={"a": "b"}, store=False, response_format={"type": "text"}, parallel_tool_calls=True,
        extra_body={"top_k": 20, "something_new": {"a": 1}, "logit_bias": None},
    )
    assert chat.choices[0].finish_reason in ("stop", "length")


def test_rate_headers_and_the_job_come_with_an_answer(client, demo):
    raw = client.chat.completions.with_raw_response.create(model=demo.model, messages=HELLO)
    headers = raw.headers
    assert int(headers["x-ratelimit-limit-requests"]) == 40
    assert int(headers["x-ratelimit-remaining-requests"]) < 40
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    job = demo.ended_job(raw.parse().id)
    assert headers["x-assay-job"] == job["id"]
    assert job["state"] == "succeeded"
    assert job["cost_nano"] + job["returned_nano"] == job["hold_nano"]
    assert sum(node["pay_nano"] for node in job["nodes"]) > 0


def test_who_hangs_up_pays_for_what_came(client, demo):
    stream = ask(
        client, demo, STORY, max_tokens=900, stream=True, logit_bias={str(demo.end_token): -100}
    )
    came = next(chunk for chunk in stream if chunk.choices[0].delta.content)
    stream.close()
    job = demo.ended_job(came.id)
    assert job["state"] == "cancelled"
    assert 0 < job["completion_tokens"] < 900
    assert 0 < job["cost_nano"] < job["hold_nano"]


def test_models_are_listed_and_found(client, demo):
    models = list(client.models.list())
    assert demo.model in [model.id for model in models]
    model = client.models.retrieve(demo.model)
    assert (model.id, model.object) == (demo.model, "model")
    assert model.created > 0
    assert model.owned_by
