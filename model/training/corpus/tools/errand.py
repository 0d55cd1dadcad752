"""What one conversation with tools is about: functions, a question, calls with their results, and the answer."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict
    result: str


@dataclass(frozen=True)
class Errand:
    """`steps` are lists of calls: those of one step are made at once, the next step after their results."""

    key: str
    functions: list
    question: str
    steps: list
    answer: str


def messages_of(errand):
    """OpenAI's messages, from the user's question to the assistant's answer."""
    messages = [{"role": "user", "content": errand.question}]
    for step in errand.steps:
        calls = [{"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in step]
        messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        messages += [{"role": "tool", "content": call.result} for call in step]
    return messages + [{"role": "assistant", "content": errand.answer}]


def resulting(rng, name, value):
    """A result as tools give it: the bare value, or an object with a name for it."""
    if rng.random() < 0.55:
        return value if isinstance(value, str) else json.dumps(value)
    return json.dumps({name: value})
