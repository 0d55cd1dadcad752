"""Asks the exported graph questions of every kind and counts the exact answers, and those that it ended by itself.

    python evaluate.py MODEL_FOLDER

Writes RESULTS.md here and the model card, README.md, in the model folder.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chat_encoder import UNSCORED, ChatEncoder
from chat_format import plain_messages
from corpus.dialogue import Dialogue, dialogue, errand_of, memory_of, messages_of, question_of
from corpus.kinds import KINDS
from corpus.tools import errand as errands
from corpus.visitor import retyped
from report import write_report
from session import ChatSession

QUESTIONS_PER_CELL = 60
ANSWER_TOKENS_MAX = 200
STORY_TOKENS_MIN = 64
LOSS_DIALOGUES, LOSS_SEED = 300, 999

CELLS = [(False, False), (True, False), (True, True)]  # held out, typed loosely
HELD_OUT_BY_KIND = {
    "counting": "the range, in every wording",
    "repeating": "the phrase",
    "stories": "the pair of hero and place",
    "memory": "the name",
    "tools": "the place, the numbers or the words",
}
HELD_OUT_ELSE = "the wording with its numbers or nouns"


@dataclass(frozen=True)
class Cell:
    """How one kind did in one way of asking."""

    asked: int
    right: int
    ended: int


@dataclass(frozen=True)
class Row:
    kind: str
    held_out_means: str
    seen: Cell
    held_out: Cell
    typed_loosely: Cell


def evaluate(folder):
    session = ChatSession(folder)
    rows = []
    for kind in [*KINDS, "memory"]:
        rows.append(Row(
            kind, HELD_OUT_BY_KIND.get(kind, HELD_OUT_ELSE),
            *(ask_many(session, kind, *cell) for cell in CELLS)))
        print(rows[-1], flush=True)
    rows.append(Row("tools", HELD_OUT_BY_KIND["tools"], *(run_errands(session, *cell) for cell in CELLS)))
    print(rows[-1], flush=True)
    loss = held_out_loss(session)
    print(f"held-out loss {loss:.4f}")
    write_report(folder, rows, loss)


def ask_many(session, kind, held_out, loosely):
    rng = random.Random(f"{kind} {held_out} {loosely}")
    right = ended = 0
    for _ in range(QUESTIONS_PER_CELL):
        turns = memory_of(rng, held_out) if kind == "memory" else [question_of(kind, rng, held_out)]
        messages = messages_of(turns)
        if loosely:
            messages[-2]["content"] = retyped(rng, messages[-2]["content"])
        answer, by_itself = session.answer(messages[:-1], ANSWER_TOKENS_MAX)
        right += is_story_about(session, turns[-1], answer) if kind == "stories" else answer == turns[-1].answer
        ended += by_itself
    return Cell(QUESTIONS_PER_CELL, right, ended)


def run_errands(session, held_out, loosely):
    """Right means every call as it should be, to the character, and the answer after the results."""
    rng = random.Random(f"tools {held_out} {loosely}")
    right = ended = 0
    for _ in range(QUESTIONS_PER_CELL):
        errand, tools = errand_of(rng, held_out)
        messages = errands.messages_of(errand)
        if loosely:
            messages[0]["content"] = messages[0]["content"].rstrip(".?")
        told = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
        said = [session.answer(messages[:index], ANSWER_TOKENS_MAX, tools) for index in told]
        wanted = [plain_messages(Dialogue([messages[index]]))[0]["content"] for index in told]
        right += [text for text, _ in said] == wanted
        ended += all(by_itself for _, by_itself in said)
    return Cell(QUESTIONS_PER_CELL, right, ended)


def is_story_about(session, turn, answer):
    """No story is the right one: it must be long enough, and be about the hero and the place that were asked for."""
    hero, _, place = turn.key.partition(" in ")
    wanted = [word for word in (hero, place) if word in turn.question]
    long_enough = len(session.tokenizer(answer)["input_ids"]) >= STORY_TOKENS_MIN
    return long_enough and all(word in answer for word in wanted)


def held_out_loss(session):
    """Nats per answer token over held-out dialogues, by the exported graph: what two builds of the model are compared by."""
    chat, rng = ChatEncoder(session.tokenizer), random.Random(LOSS_SEED)
    lost = scored = 0
    for _ in range(LOSS_DIALOGUES):
        ids, targets = (np.array(row) for row in chat.encode(dialogue(rng, held_out=True)))
        logits = session.score(ids)[:-1].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        log_probability = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        at = np.flatnonzero(targets[1:] != UNSCORED)
        lost -= log_probability[at, targets[1:][at]].sum()
        scored += len(at)
    return lost / scored


if __name__ == "__main__":
    evaluate(Path(sys.argv[1]))
