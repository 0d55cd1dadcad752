"""Spelling, first and last letters, and repeating a few words."""

from .turn import Turn, asked
from .words import NAMES, SPELLED

_SPELL_WORDINGS = ['Spell {}.', 'How do you spell {}?', 'Spell the word {}.', 'Can you spell {}?', 'Please spell {}.', 'Spell "{}".']


def spelling(rng):
    word = rng.choice(SPELLED) if rng.random() < 0.85 else rng.choice(NAMES)
    shape = rng.random()
    if shape < 0.7:
        return asked(rng, [wording.format(word) for wording in _SPELL_WORDINGS], "-".join(word))
    if shape < 0.8:
        return asked(rng, [f"How many letters are in {word}?", f"How many letters does {word} have?"], f"{word} has {len(word)} letters.")
    place, letter = rng.choice([("first", word[0]), ("last", word[-1])])
    return asked(rng, [f"What is the {place} letter of {word}?", f"Which letter does {word} {'start' if place == 'first' else 'end'} with?"],
                 f"The {place} letter of {word} is {letter}.")


def repeating(rng):
    phrase = " ".join(rng.choice(SPELLED) for _ in range(rng.randint(1, 4)))
    question = rng.choice(["Repeat after me: {}.", "Say {}.", "Repeat: {}.", "Say: {}."]).format(phrase)
    return Turn(f"repeat {phrase}", question, phrase + ".")
