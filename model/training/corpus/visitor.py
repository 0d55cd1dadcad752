"""How a visitor types: without the full stop, in lower case, with or without a please."""

_ENDINGS = ".!?"
_POLITE = ["Please {}", "{}, please", "Can you help me? {}", "Hi! {}", "Hello, {}", "ok {}", "Pip, {}"]


def retyped(rng, question):
    """The question as it stands about half of the time, else a looser form of it."""
    if rng.random() < 0.5:
        return question
    if rng.random() < 0.25 and "\n" not in question:
        question = _polite(rng, question)
    if rng.random() < 0.6:
        question = question.rstrip(_ENDINGS) or question
    elif rng.random() < 0.3:
        question = question.rstrip(_ENDINGS) + rng.choice(["!", "?", ".", " ?", "??", "..."])
    if rng.random() < 0.5:
        question = question.lower()
    if rng.random() < 0.05:
        question += " "
    return question


def _polite(rng, question):
    form = rng.choice(_POLITE)
    if form.startswith("{}"):
        return form.format(question.rstrip(_ENDINGS)) + rng.choice([".", "", "!"])
    return form.format(question)
