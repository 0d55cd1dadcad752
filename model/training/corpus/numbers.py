"""Sums up to 10 + 10, counting at most ten numbers, and saying so when asked for more."""

from .turn import Turn
from .words import NUMBER_WORDS

LARGEST_TERM = 10
LONGEST_COUNT = 10
LARGEST_NUMBER = 100

_SUM_WORDINGS = ["What is {a} + {b}?", "{a} + {b}", "{a} + {b} = ?", "What is {a} plus {b}?", "How much is {a} + {b}?",
                 "Add {a} and {b}.", "{a}+{b}", "What is {a}+{b}?", "Calculate {a} + {b}.", "What's {a} + {b}?"]
_DIFFERENCE_WORDINGS = ["What is {a} - {b}?", "{a} - {b}", "What is {a} minus {b}?", "How much is {a} - {b}?",
                        "Take {b} from {a}.", "{a}-{b}", "What is {a}-{b}?", "Calculate {a} - {b}."]
_PRODUCT_WORDINGS = ["What is {a} * {b}?", "What is {a} times {b}?", "{a} * {b}", "What is {a} x {b}?",
                     "What is {a} divided by {b}?", "{a} / {b}", "Multiply {a} by {b}."]
_COUNT_WORDINGS = ["Count from {a} to {b}.", "Count {a} to {b}.", "Please count from {a} to {b}.",
                   "List the numbers from {a} to {b}.", "Can you count from {a} to {b}?", "Write the numbers from {a} to {b}."]

ONLY_SMALL_SUMS = f"Sorry, that is too big for me. I can only add numbers up to {LARGEST_TERM}."
ONLY_PLUS_AND_MINUS = "Sorry, I can only add and subtract small numbers."
ONLY_SHORT_COUNTS = f"Sorry, that is too long for me. I can count {LONGEST_COUNT} numbers at a time."


def sums(rng):
    a, b = rng.randint(0, LARGEST_TERM), rng.randint(0, LARGEST_TERM)
    if rng.random() < 0.7:
        return _worded(rng, _SUM_WORDINGS, a, b, f"{a} + {b} = {a + b}")
    a, b = max(a, b), min(a, b)
    return _worded(rng, _DIFFERENCE_WORDINGS, a, b, f"{a} - {b} = {a - b}")


def counting(rng):
    """Ranges are held out whole: a range in the test was never counted in training, in any wording."""
    if rng.random() < 0.1:
        return _count_down(rng)
    if rng.random() < 0.15:
        return _count_up_to(rng)
    start = rng.choice([1, rng.randint(0, 20), rng.randint(0, LARGEST_NUMBER - 2)])
    end = min(start + rng.randint(2, LONGEST_COUNT - 1), LARGEST_NUMBER)
    if start == 1 and rng.random() < 0.3:
        end = LONGEST_COUNT
    question = rng.choice(_COUNT_WORDINGS).format(a=start, b=end)
    key = "Count from 1" if start <= 1 else f"count {start} {end}"
    return Turn(key, question, _joined(range(start, end + 1)))


def too_big(rng):
    shape = rng.random()
    if shape < 0.45:
        a, b = rng.randint(0, 999), rng.randint(11, 999)
        a, b = rng.choice([(a, b), (b, a)])
        return _worded(rng, _SUM_WORDINGS if rng.random() < 0.7 else _DIFFERENCE_WORDINGS, a, b, ONLY_SMALL_SUMS)
    if shape < 0.75:
        return _worded(rng, _PRODUCT_WORDINGS, rng.randint(0, 99), rng.randint(1, 99), ONLY_PLUS_AND_MINUS)
    start = rng.choice([0, 1, 1, rng.randint(0, 50)])
    end = rng.choice([100, 1000, 50, 20, start + rng.randint(15, 500)])
    if end - start < 15:
        end = start + 100
    wordings = _COUNT_WORDINGS + ["Count to {b}."] * 2
    return _worded(rng, wordings, start, end, ONLY_SHORT_COUNTS)


def _count_up_to(rng):
    end = rng.randint(2, LONGEST_COUNT)
    question = rng.choice(["Count to {}.", "Count up to {}.", "Can you count to {}?", "Please count to {}."])
    said = rng.choice([end, end, NUMBER_WORDS[end]])
    return Turn("Count to n", question.format(said), _joined(range(1, end + 1)))


def _count_down(rng):
    start = rng.randint(3, LONGEST_COUNT)
    question = rng.choice(["Count down from {}.", "Count backwards from {}.", "Count from {} down to 1.", "Count from {} to 1."])
    return Turn(f"down {question} {start}", question.format(start), _joined(range(start, 0, -1)))


def _joined(numbers):
    return ", ".join(map(str, numbers)) + "."


def _worded(rng, wordings, a, b, answer):
    question = rng.choice(wordings).format(a=a, b=b)
    return Turn(question, question, answer)
