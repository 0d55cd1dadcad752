"""What a question with its answer is, and which of them training never sees."""

import hashlib
from dataclasses import dataclass

HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Turn:
    """One question and its answer. `key` names what must not leak from the test into training."""

    key: str
    question: str
    answer: str


def is_held_out(key):
    """One key in ten, by its SHA-1: the same split on every machine, for ever."""
    return hashlib.sha1(key.encode()).digest()[0] % HELD_OUT_ONE_IN == 0


def asked(rng, wordings, answer):
    """One of the wordings with the answer; the wording itself is the key."""
    question = rng.choice(wordings)
    return Turn(question, question, answer)
