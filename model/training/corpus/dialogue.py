"""Puts turns together into dialogues: what training and evaluation draw from."""

from dataclasses import dataclass

from . import visitor
from .kinds import KINDS
from .memory import memory
from .tools import errand as errands
from .tools.declaration import declared
from .tools.tasks import TASKS
from .turn import is_held_out

MEMORY_SHARE = 0.13
TOOLS_SHARE = 0.2
NO_TOOL_NEEDED_SHARE = 0.15
FOLLOWED_SHARE = 0.25
DISTRACTORS_MAX = 3
NEVER_NEED_A_TOOL = ["greetings", "counting", "spelling", "dates", "capitals", "colours", "facts", "about Assay", "about Pip", "stories", "JSON"]
SYSTEM_SHARE = 0.25
LONG_SHARE = 0.04
TRIES_MAX = 10_000

# What the README and the demo ask is never held out: it is what a visitor types first.
ASKED_FIRST = frozenset(["What is Assay?", "How does Assay check an answer?", "Count from 1", "Count to n", "greeting", "told", "recall",
                         "What day comes after Monday?", "What is the capital of France?", "Spell cat.", "What is 2 + 2?", "What is 2+2?", "2+2", "Say this is a test.",
                         "Who are you?", "What can you do?", "fox in forest", "Who pays?", "What is a node?", "What is a receipt?",
                         "What is a token?", "What is the end token?", "How do I run a node?", "How are answers checked?"])
_SYSTEMS = ["You are a helpful assistant.", "You are Pip, a small and friendly assistant.", "Answer briefly.", "Be brief.", "You are a helpful AI assistant.",
            "You are Pip.", "Answer in one sentence.", "Be kind and helpful.", "You are a friendly bot. Keep your answers short."]


@dataclass(frozen=True)
class Dialogue:
    """OpenAI's messages, and the tools that were declared."""

    messages: list
    tools: list | None = None


def dialogue(rng, held_out=False):
    """With `held_out`, its last answer is to something training never saw."""
    shape = rng.random()
    if shape < TOOLS_SHARE:
        return _with_tools(rng, held_out)
    turns = _memory_turns(rng, held_out) if shape < TOOLS_SHARE + MEMORY_SHARE else _loose_turns(rng, held_out)
    return Dialogue(_messages(rng, turns))


def errand_of(rng, held_out=False):
    """One task with tools, and everything that the client declares with it."""
    errand = _errand(rng, held_out)
    return errand, _declarations(rng, errand.functions)


def question_of(kind, rng, held_out=False):
    """One turn of this kind, as it stands. Kinds whose keys are all shared cannot be held out."""
    ask, _ = KINDS[kind]
    return _drawn(lambda: ask(rng), held_out)


def memory_of(rng, held_out=False):
    return _memory_turns(rng, held_out)


def messages_of(turns):
    messages = []
    for turn in turns:
        messages += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    return messages


def _with_tools(rng, held_out):
    errand = _errand(rng, held_out)
    tools = _declarations(rng, errand.functions)
    if not held_out and rng.random() < NO_TOOL_NEEDED_SHARE:
        return Dialogue(_messages(rng, [question_of(rng.choice(NEVER_NEED_A_TOOL), rng)]), tools)
    messages = _system(rng) + errands.messages_of(errand)
    if not held_out and rng.random() < FOLLOWED_SHARE:
        messages += messages_of([_any_turn(rng, False)])
    return Dialogue(messages, tools)


def _errand(rng, held_out):
    return _drawn(lambda: rng.choices(list(TASKS), list(TASKS.values()))[0](rng), held_out)


def _declarations(rng, functions):
    """The functions among others that are of no use, in any order."""
    names = {function.name for function in functions}
    others = [function for _ in range(rng.choice([0, 0, 0, 1, 1, 2, DISTRACTORS_MAX])) for function in _errand(rng, False).functions]
    chosen = functions + [function for function in others if function.name not in names and not names.add(function.name)]
    return [declared(rng, function) for function in rng.sample(chosen, len(chosen))]


def _loose_turns(rng, held_out):
    count = rng.randint(6, 14) if rng.random() < LONG_SHARE else rng.choice([1, 1, 1, 1, 2, 2, 3, 4])
    turns = [_any_turn(rng, False) for _ in range(count - 1)]
    return turns + [_any_turn(rng, held_out)]


def _any_turn(rng, held_out):
    kinds = list(KINDS)
    weights = [weight for _, weight in KINDS.values()]
    return _drawn(lambda: KINDS[rng.choices(kinds, weights)[0]][0](rng), held_out)


def _memory_turns(rng, held_out):
    filler = lambda rng: _any_turn(rng, False)
    for _ in range(TRIES_MAX):
        turns = memory(rng, filler)
        if any(_is_kept_back(turn) for turn in turns) == held_out:
            return turns
    raise RuntimeError("no such memory dialogue")


def _drawn(draw, held_out):
    for _ in range(TRIES_MAX):
        turn = draw()
        if _is_kept_back(turn) == held_out:
            return turn
    raise RuntimeError("nothing of this kind is held out" if held_out else "everything of this kind is held out")


def _is_kept_back(turn):
    return turn.key not in ASKED_FIRST and is_held_out(turn.key)


def _messages(rng, turns):
    system = _system(rng)
    messages = messages_of(turns)
    for message in messages:
        if message["role"] == "user":
            message["content"] = visitor.retyped(rng, message["content"])
    return system + messages


def _system(rng):
    return [{"role": "system", "content": rng.choice(_SYSTEMS)}] if rng.random() < SYSTEM_SHARE else []
