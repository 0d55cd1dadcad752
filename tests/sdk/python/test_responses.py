"""`client.responses` of the official `openai` package: text, typed events, tools and JSON; nothing is stored."""

import json

import openai
import pytest
from pydantic import BaseModel

QUESTION = "What is the weather in Berlin?"
SAID = "Mia is 7 years old and likes red. Answer as JSON with the keys name, age, colour."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Person(BaseModel):
    name: str
    age: int
    colour: str


def ask(client, demo, said="Hello!", **options):
    return client.responses.create(model=demo.model, input=said, temperature=0, **options)


def test_a_response_says_what_a_chat_says(client, demo):
    response = ask(client, demo)
    assert (response.object, response.status, response.store) == ("response", "completed", False)
    chat = client.chat.completions.create(
        model=demo.model, messages=[{"role": "user", "content": "Hello!"}], temperature=0
    )
    assert response.output_text == chat.choices[0].message.content
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens) == (chat.usage.prompt_tokens, chat.usage.completion_tokens)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    items = [{"role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}]
    assert ask(client, demo, items).output_text == response.output_text
    assert response.error is None and response.id.startswith("resp_")


def test_a_stream_is_typed_events_in_their_order(client, demo):
    events = list(ask(client, demo, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert text == final.output_text == ask(client, demo).output_text
    assert final.usage.output_tokens > 0
    with client.responses.stream(model=demo.model, input="Hello!", temperature=0) as stream:
        assert [event.type for event in stream][-1] == "response.completed"
        assert stream.get_final_response().output_text == text


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_answers_with_what_its_tool_gave(client, demo, streamed):
    def step(said):
        if not streamed:
            return ask(client, demo, said, tools=[WEATHER])
        with client.responses.stream(
            model=demo.model, input=said, temperature=0, tools=[WEATHER]
        ) as stream:
            return stream.get_final_response()

    said = [{"role": "user", "content": QUESTION}]
    [call] = (asked := step(said)).output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "get_weather", {"city": "Berlin"})
    said += asked.output
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    assert step(said).output_text == "The weather in Berlin: sunny."


def test_the_parse_helper_gives_the_answer_as_its_class(client, demo):
    response = client.responses.parse(model=demo.model, input=SAID, temperature=0, text_format=Person)
    assert response.output_parsed == Person(name="Mia", age=7, colour="red")


def test_what_is_cut_says_so(client, demo):
    response = ask(client, demo, "Tell me a story.", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.output_tokens == 16


def test_errors_are_those_of_chats(client, demo):
    with pytest.raises(openai.NotFoundError) as caught:
        client.responses.create(model="gpt-0", input="Hello!")
    assert caught.value.code == "model_not_found"
    for wrong, param in (
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(client, demo, **wrong)
        assert caught.value.param == param
