"""Several choices, raw prompts and idempotency keys with the official `openai` package."""

import openai
import pytest

STORY = [{"role": "user", "content": "Tell me a story."}]


def choices_of(client, demo, **options):
    options = {"messages": STORY, "n": 3, "temperature": 1, "seed": 5, "max_tokens": 12, **options}
    return client.chat.completions.create(model=demo.model, **options)


def test_each_choice_has_its_own_verdict_and_the_usage_is_what_is_charged(client, demo):
    chat = choices_of(client, demo)
    assert [choice.index for choice in chat.choices] == [0, 1, 2]
    receipts = [choice.model_extra["x_assay"]["receipt"] for choice in chat.choices]
    assert len(set(receipts)) == 3 and chat.id == f"chatcmpl-{receipts[0]}"
    jobs = [demo.ended_job(receipt) for receipt in receipts]
    assert chat.usage.completion_tokens == sum(job["completion_tokens"] for job in jobs)
    assert chat.usage.prompt_tokens == sum(job["prompt_tokens"] for job in jobs)


def test_a_stream_of_several_choices_says_what_the_plain_answer_says(client, demo):
    plain = choices_of(client, demo)
    texts, ends = ["", "", ""], [None, None, None]
    for chunk in choices_of(client, demo, stream=True):
        [choice] = chunk.choices
        assert ends[choice.index] is None
        texts[choice.index] += choice.delta.content or ""
        ends[choice.index] = choice.finish_reason
    assert texts == [choice.message.content for choice in plain.choices]
    assert ends == [choice.finish_reason for choice in plain.choices]


def test_a_completion_goes_on_from_a_raw_prompt(client, demo):
    def told(prompt, **options):
        return client.completions.create(model=demo.model, prompt=prompt, temperature=0, **options)

    plain = told("Once upon a time")
    assert plain.object == "text_completion" and plain.id.startswith("cmpl-")
    [choice] = plain.choices
    assert choice.text and plain.usage.completion_tokens <= 16
    *chunks, last = told("Once upon a time", stream=True, stream_options={"include_usage": True})
    assert "".join(chunk.choices[0].text for chunk in chunks) == choice.text
    assert (last.choices, last.usage) == ([], plain.usage)
    both = told(["Once upon a time", "The cat"], echo=True, max_tokens=4)
    assert [choice.index for choice in both.choices] == [0, 1]
    assert both.choices[1].text.startswith("The cat")
    with pytest.raises(openai.BadRequestError) as caught:
        told("Once", suffix="the end")
    assert caught.value.param == "suffix"


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_idempotency_key_gives_the_same_answer_and_one_charge(demo, stream):
    with demo.client() as client:
        ask = {"model": demo.model, "messages": STORY, "temperature": 1, "max_tokens": 12, "stream": stream}

        def told(**options):
            answer = client.chat.completions.create(
                **{**ask, **options}, extra_headers={"Idempotency-Key": "mine"}
            )
            if not stream:
                return answer.id, answer.choices[0].message.content
            chunks = list(answer)
            return chunks[0].id, "".join(c.choices[0].delta.content or "" for c in chunks)

        assert told() == told()
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            told(max_tokens=13)
        assert caught.value.code == "idempotency_key_reused"
