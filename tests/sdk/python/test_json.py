"""Answers in JSON with the official `openai` package."""

import json

import openai
import pytest
from pydantic import BaseModel

SAID = [{"role": "user", "content": "Mia is 7 years old and likes red. Answer as JSON with the keys name, age, colour."}]


class Person(BaseModel):
    name: str
    age: int
    colour: str


def test_the_parse_helper_gives_the_answer_as_its_class(client, demo):
    options = {"model": demo.model, "messages": SAID, "temperature": 0, "response_format": Person}
    [choice] = client.chat.completions.parse(**options).choices
    assert choice.message.parsed == Person(name="Mia", age=7, colour="red")
    with client.chat.completions.stream(**options) as stream:
        [streamed] = stream.get_final_completion().choices
    assert streamed.message.parsed == choice.message.parsed


def test_an_answer_may_be_any_object(client, demo):
    answer = client.chat.completions.create(
        model=demo.model, messages=SAID, temperature=0, response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content)["name"] == "Mia"


def test_a_schema_holds_whatever_the_model_would_say(client, demo):
    """What the model would say is no animal."""
    schema = {"type": "object", "properties": {"animal": {"enum": ["cat", "dog"]}}, "required": ["animal"]}
    told = {"type": "json_schema", "json_schema": {"name": "pet", "schema": schema | {"additionalProperties": False}}}
    for seed in range(3):
        answer = client.chat.completions.create(
            model=demo.model, messages=SAID, temperature=2, seed=seed, response_format=told, logprobs=True
        )
        [choice] = answer.choices
        assert json.loads(choice.message.content)["animal"] in ("cat", "dog")
        assert choice.finish_reason == "stop"
        assert "".join(token.token for token in choice.logprobs.content) == choice.message.content


def test_a_schema_that_is_none_is_refused_by_name(client, demo):
    wrong = {"type": "json_schema", "json_schema": {"name": "pet", "schema": {"type": "animal"}}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=demo.model, messages=SAID, response_format=wrong)
    assert caught.value.param.startswith("response_format")
