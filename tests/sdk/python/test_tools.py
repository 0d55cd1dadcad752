"""Tools with the official `openai` package: calls, their pieces in streams, and the loop of an agent."""

import json

import openai
import pytest
from pydantic import BaseModel

QUESTION = "What is the weather in Berlin?"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CAPITAL = {
    "type": "function",
    "function": {
        "name": "get_capital",
        "description": "Names the capital of a country.",
        "parameters": {"type": "object", "properties": {"country": {"type": "string"}}, "required": ["country"]},
    },
}
STEPS_MAX = 4


def user(text):
    return {"role": "user", "content": text}


def ask(client, demo, messages, **options):
    options = {"temperature": 0, "tools": [WEATHER], **options}
    return client.chat.completions.create(model=demo.model, messages=messages, **options)


def work_through(client, demo, question, result):
    """An agent, whose tool always gives `result`: goes on until the model answers. Gives the calls and the answer."""
    messages, calls = [user(question)], []
    for _ in range(STEPS_MAX):
        [choice] = ask(client, demo, messages).choices
        messages.append(choice.message)
        if choice.finish_reason != "tool_calls":
            return calls, choice.message.content
        for call in choice.message.tool_calls:
            calls.append((call.function.name, json.loads(call.function.arguments)))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError(f"no answer after {calls}")


def test_an_agent_answers_with_what_its_tool_gave(client, demo):
    calls, answer = work_through(client, demo, QUESTION, result="sunny")
    assert calls == [("get_weather", {"city": "Berlin"})]
    assert answer == "The weather in Berlin: sunny."


def test_a_streamed_call_comes_in_pieces_with_its_index(client, demo):
    [choice] = ask(client, demo, [user(QUESTION)]).choices
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    chunks = list(ask(client, demo, [user(QUESTION)], stream=True))
    pieces = [piece for chunk in chunks for piece in chunk.choices[0].delta.tool_calls or []]
    assert {piece.index for piece in pieces} == {0}
    first, *rest = pieces
    assert first.id and first.type == "function" and first.function.name == call.function.name
    assert all(piece.id is None and piece.function.name is None for piece in rest)
    assert "".join(piece.function.arguments or "" for piece in pieces) == call.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_stream_helper_tells_of_the_call(client, demo):
    with client.chat.completions.stream(
        model=demo.model, messages=[user(QUESTION)], tools=[WEATHER], temperature=0
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert [(event.name, event.arguments) for event in done] == [(call.function.name, call.function.arguments)]


class GetWeather(BaseModel):
    """Tells the weather in a city."""

    city: str


def test_the_parse_helper_gives_the_arguments_as_their_class(client, demo):
    tools = [openai.pydantic_function_tool(GetWeather, name="get_weather")]
    parsed = client.chat.completions.parse(
        model=demo.model, messages=[user(QUESTION)], tools=tools, temperature=0
    )
    [call] = parsed.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Berlin")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_capital"}}])
def test_who_asks_for_a_call_gets_one(client, demo, choice):
    options = {"tools": [WEATHER, CAPITAL], "tool_choice": choice, "parallel_tool_calls": False}
    [answer] = ask(client, demo, [user("What is the capital of France?")], **options).choices
    [call] = answer.message.tool_calls
    assert answer.finish_reason == "tool_calls"
    assert call.function.name == "get_capital" or choice == "required"
    assert [type(value) for value in json.loads(call.function.arguments).values()] == [str]


def test_who_wants_no_call_gets_words(client, demo):
    [choice] = ask(client, demo, [user(QUESTION)], tool_choice="none").choices
    assert choice.message.tool_calls is None
    assert choice.message.content and "<tool_call>" not in choice.message.content


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "two words"}}]}, "tools[0].function.name"),
        ({"tool_choice": {"type": "function", "function": {"name": "nobody"}}}, "tool_choice.function.name"),
    ],
    ids=["name", "choice"],
)
def test_a_wrong_tool_is_refused_by_name(client, demo, wrong, param):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, demo, [user(QUESTION)], **wrong)
    assert caught.value.param == param
