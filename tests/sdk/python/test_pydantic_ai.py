"""Agents of pydantic-ai: tools, and outputs of a class."""

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

QUESTION = "What is the weather in Berlin?"
ANSWER = "The weather in Berlin: sunny."


class Person(BaseModel):
    name: str
    age: int
    colour: str


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
def agent(request, demo):
    def make(**options):
        provider = OpenAIProvider(base_url=demo.base_url, api_key=demo.new_key()["key"])
        model = request.param(demo.model, provider=provider)
        return Agent(model, model_settings={"temperature": 0}, **options)

    return make


async def test_an_agent_answers_and_counts(agent):
    answer = await agent().run("Hello!")
    assert answer.output
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    async with agent().run_stream("Hello!") as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == answer.output
    assert stream.usage.output_tokens == answer.usage.output_tokens


async def test_an_agent_calls_its_tool_and_answers_with_the_result(agent):
    asked = []

    def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        asked.append(city)
        return "sunny"

    answer = await agent(tools=[get_weather]).run(QUESTION)
    assert (asked, answer.output) == (["Berlin"], ANSWER)
    async with agent(tools=[get_weather]).run_stream(QUESTION) as stream:
        assert await stream.get_output() == ANSWER
    assert asked == ["Berlin", "Berlin"]


@pytest.mark.parametrize(
    ("form", "question"),
    [
        (NativeOutput, "Mia is 7 years old and likes red. Answer as JSON with the keys name, age, colour."),
        (ToolOutput, "Save a person: name Mia, age 7 and colour red."),
    ],
    ids=["schema", "tool"],
)
async def test_an_output_is_of_its_class(agent, form, question):
    answer = await agent(output_type=form(Person)).run(question)
    assert isinstance(answer.output, Person) and answer.output.colour == "red"
