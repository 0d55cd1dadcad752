"""Short dialogues in which Pip must remember what it was told earlier."""

from .turn import Turn
from .words import ANIMALS, COLOURS, NAMES, invented_name

_INTRODUCTIONS = ["My name is {}.", "I am {}.", "Hello, my name is {}.", "Hi, I am {}.", "Hello, I am {}.", "Call me {}."]
_NAME_QUESTIONS = ["What is my name?", "Do you remember my name?", "Who am I?", "What's my name?"]


def memory(rng, filler):
    """A list of turns: things told, `filler(rng)` in between, then questions about what was told."""
    name = rng.choice(NAMES) if rng.random() < 0.65 else invented_name(rng)
    told = [("name", name, rng.choice(_INTRODUCTIONS).format(name), f"Nice to meet you, {name}.")]
    if rng.random() < 0.55:
        colour = rng.choice(COLOURS)
        told.append(("colour", colour, rng.choice(["My favourite colour is {}.", "I like {}.", "My favorite color is {}."]).format(colour), f"{colour.capitalize()} is a nice colour."))
    if rng.random() < 0.3:
        animal = rng.choice(ANIMALS)
        told.append(("animal", animal, f"My favourite animal is the {animal}.", f"The {animal} is a nice animal."))
    if len(told) > 1 and rng.random() < 0.15:
        told = told[1:]
    rng.shuffle(told)

    turns = []
    for _, _, question, answer in told:
        turns.append(Turn("told", question, answer))
        turns += [filler(rng) for _ in range(rng.choice([0, 0, 0, 1, 2]))]
    asked_about = rng.sample(told, rng.randint(1, len(told)))
    turns += [_recall(rng, kind, value) for kind, value, _, _ in asked_about]
    return turns


def _recall(rng, kind, value):
    """What is remembered is held out: some names, colours and animals are never asked back in training."""
    wordings, answer = {
        "name": (_NAME_QUESTIONS, f"Your name is {value}."),
        "colour": (["What is my favourite colour?", "Which colour do I like?", "What is my favorite color?"], f"Your favourite colour is {value}."),
        "animal": (["What is my favourite animal?", "Which animal do I like?"], f"Your favourite animal is the {value}."),
    }[kind]
    key = f"recall {value}" if kind == "name" else "recall"
    return Turn(key, rng.choice(wordings), answer)
