"""Days of the week, months of the year and how long the months are."""

from .turn import asked
from .words import DAYS, MONTHS

_MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()


def dates(rng):
    shape = rng.random()
    if shape < 0.35:
        return _neighbour(rng, "day", DAYS)
    if shape < 0.6:
        return _neighbour(rng, "month", MONTHS)
    if shape < 0.7:
        return _tomorrow(rng)
    if shape < 0.85:
        i = rng.randrange(12)
        length = "28 days, and 29 in a leap year" if i == 1 else f"{_MONTH_DAYS[i]} days"
        return asked(rng, [f"How many days are in {MONTHS[i]}?", f"How many days does {MONTHS[i]} have?", f"How long is {MONTHS[i]}?"],
                     f"{MONTHS[i]} has {length}.")
    unit, names = rng.choice([("day of the week", DAYS), ("month of the year", MONTHS)])
    i = rng.randrange(len(names))
    short = unit.split()[0]
    return asked(rng, [f"What is the {_ORDINALS[i]} {unit}?", f"Which is the {_ORDINALS[i]} {unit}?", f"What is the {_ORDINALS[i]} {short}?"],
                 f"The {_ORDINALS[i]} {unit} is {names[i]}.")


def _neighbour(rng, unit, names):
    i = rng.randrange(len(names))
    side, step = rng.choice([("after", 1), ("before", -1)])
    verb = "comes" if side == "after" else rng.choice(["comes", "is"])
    return asked(rng, [f"What {unit} {verb} {side} {names[i]}?", f"Which {unit} {verb} {side} {names[i]}?",
                       f"Which {unit} is {side} {names[i]}?", f"What is the {unit} {side} {names[i]}?", f"What comes {side} {names[i]}?"],
                 f"{names[(i + step) % len(names)]} comes {side} {names[i]}.")


def _tomorrow(rng):
    i = rng.randrange(7)
    other, step = rng.choice([("tomorrow", 1), ("yesterday", -1)])
    verb = "is" if step == 1 else "was"
    return asked(rng, [f"Today is {DAYS[i]}. What day {verb} {other}?", f"If today is {DAYS[i]}, what day {verb} {other}?"],
                 f"{other.capitalize()} {verb} {DAYS[(i + step) % 7]}.")
