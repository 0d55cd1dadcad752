"""Texts that mean the same: questions with one answer, and questions with their answers."""

from collections import defaultdict

from corpus.dialogue import question_of
from corpus.kinds import KINDS
from corpus.visitor import retyped

# Their answers are alike, or say nothing of what was asked.
_NOT_ABOUT_A_MEANING = {"unknown", "too big", "greetings", "stories", "repeating", "counting", "JSON"}
QUESTION_AND_ANSWER_SHARE = 0.35
TURNS_A_KIND = 4_000


class Pairs:
    """Draws pairs of texts; `held_out` ones have a question that training never saw."""

    def __init__(self, rng, held_out=False):
        by_answer = defaultdict(set)
        for kind in sorted(set(KINDS) - _NOT_ABOUT_A_MEANING):
            for _ in range(TURNS_A_KIND if not held_out else TURNS_A_KIND // 8):
                turn = question_of(kind, rng, held_out)
                by_answer[turn.answer].add(turn.question)
        self.held_out = held_out
        self.questions = {answer: sorted(questions) for answer, questions in by_answer.items()}
        self.answers = sorted(self.questions)

    def draw(self, rng, count):
        """`count` pairs, no two of which have the same answer."""
        return [self._pair(rng, answer) for answer in rng.sample(self.answers, count)]

    def _pair(self, rng, answer):
        questions = self.questions[answer]
        first = rng.choice(questions)
        if len(questions) == 1 or rng.random() < QUESTION_AND_ANSWER_SHARE:
            return retyped(rng, first), answer
        second = rng.choice([question for question in questions if question != first])
        return retyped(rng, first), retyped(rng, second)
