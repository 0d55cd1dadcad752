"""Answers as JSON objects: facts about what was told, and ordinary answers under a key."""

import json

from . import calendar, numbers, small_facts
from .tools.tasks import a_joke
from .turn import Turn
from .words import ANIMALS, COLOURS, NAMES, SPELLED

_ASKED_FOR = [" Answer as JSON.", " Answer in JSON.", " Reply with a JSON object.", " Give JSON.", " Answer as JSON with the keys {keys}.", " Use the keys {keys}."]
_ANSWER_KEYS = ["answer", "text", "reply", "result", "response", "value", "content", "message"]
_PLAIN = [numbers.sums, calendar.dates, small_facts.capitals, small_facts.colours, small_facts.facts]


def structured(rng):
    shape = rng.random()
    if shape < 0.4:
        return _told(rng)
    if shape < 0.5:
        about, halves = a_joke(rng)
        return _turn(rng, f"Tell me a joke about {about}.", halves)
    turn = rng.choice(_PLAIN)(rng)
    return _turn(rng, turn.question, {rng.choice(_ANSWER_KEYS): turn.answer})


def _told(rng):
    name = rng.choice(NAMES)
    facts = {
        "name": (name, None), "age": (age := rng.randint(1, 99), f"is {age} years old"),
        "colour": (colour := rng.choice(COLOURS), f"likes {colour}"), "animal": (animal := rng.choice(ANIMALS), f"has a {animal}"),
        "words": (words := rng.sample(SPELLED, 2), f"says {words[0]} and {words[1]}"),
        "happy": (happy := rng.random() < 0.5, "is happy" if happy else "is not happy"),
    }
    kept = ["name", *sorted(rng.sample([key for key in facts if key != "name"], rng.randint(1, 3)), key=list(facts).index)]
    sentence = f"{name} {' and '.join(facts[key][1] for key in kept if key != 'name')}."
    return _turn(rng, sentence, {key: facts[key][0] for key in kept})


def _turn(rng, question, answer):
    question += rng.choice(_ASKED_FOR).format(keys=", ".join(answer))
    return Turn(question, question, json.dumps(answer))
