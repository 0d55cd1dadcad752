"""Short stories of about a hundred tokens: long enough to watch them stream."""

from .turn import Turn
from .words import ANIMALS, NAMES, with_article

_PLACES = "forest|river|village|castle|garden|mountain|lake|market|old house|bridge|sea|desert".split("|")
_TEMPERS = "small brave clever lazy young kind hungry funny quiet curious".split()
_TREASURES = "golden key|red apple|silver coin|blue lamp|warm hat|wooden boat|magic stone|secret letter|map".split("|")
_WEATHER = ["It was raining", "It was snowing", "It was very cold", "The sun was shining", "It was getting dark"]
_HIDING = ["under a tree", "behind a stone", "under the bridge", "in the tall grass", "in a deep hole"]
_PATIENCE = ["all day", "the whole night", "for a long time", "until the sun went down"]

_ABOUT_BOTH = ["Tell me a story about {a} in the {place}.", "Tell me a short story about {a} in the {place}.",
               "Write a story about {a} in the {place}.", "Tell me a story about {a} and the {place}.",
               "Write a short story about {a} who lives near the {place}.", "Can you tell me a story about {a} in the {place}?"]
_ABOUT_HERO = ["Tell me a story about {a}.", "Tell me a short story about {a}.", "Write a story about {a}.", "A story about {a}.",
               "Can you tell me a story about {a}?", "Write a short story about {a}."]
_ABOUT_PLACE = ["Tell me a story about the {place}.", "Write a story about the {place}."]
_ABOUT_ANYTHING = ["Tell me a story.", "Tell me a short story.", "Write a story.", "Can you tell me a story?", "Tell me another story.",
                   "Write a short story.", "Tell me a long story.", "I want a story.", "A story."]


def stories(rng):
    """The pair of hero and place is held out: the test asks for heroes in places they never were."""
    hero, friend = rng.sample(ANIMALS, 2)
    place, far_place = rng.sample(_PLACES, 2)
    shape = rng.random()
    wordings = (_ABOUT_BOTH if shape < 0.5 else _ABOUT_HERO if shape < 0.75 else _ABOUT_PLACE if shape < 0.8 else _ABOUT_ANYTHING)
    question = rng.choice(wordings).format(a=with_article(hero), place=place)
    return Turn(f"{hero} in {place}", question, _tell(rng, hero, friend, place, far_place))


def _tell(rng, hero, friend, place, far_place):
    treasure = rng.choice(_TREASURES)
    temper, friend_temper = rng.sample(_TEMPERS, 2)
    opening = rng.choice([
        f"Once upon a time there was {with_article(temper)} {hero} who lived in the {place}.",
        f"Long ago {with_article(temper)} {hero} named {rng.choice(NAMES)} lived near the {place}.",
        f"There was once {with_article(temper)} {hero} in the {place}."])
    journey = rng.choice([
        f"One day the {hero} walked to the {far_place}. {rng.choice(_WEATHER)}, but the {hero} was happy.",
        f"{rng.choice(_WEATHER)} when the {hero} left the {place} and went to the {far_place}.",
        f"One morning the {hero} wanted to see the {far_place}. {rng.choice(_WEATHER)}."])
    meeting = rng.choice([
        f'On the way the {hero} met {with_article(friend_temper)} {friend}. "Can you help me?" said the {friend}. "I have lost my {treasure}."',
        f'There sat {with_article(friend_temper)} {friend}. "Why are you sad?" said the {hero}. "I cannot find my {treasure}," said the {friend}.',
        f'Near the {far_place} stood {with_article(friend_temper)} {friend}. "Hello," said the {friend}. "I am looking for my {treasure}."'])
    search = rng.choice([
        f"They looked for it {rng.choice(_PATIENCE)}.",
        f"So the {hero} and the {friend} looked for it together {rng.choice(_PATIENCE)}."])
    finding = f"In the end the {hero} found the {treasure} {rng.choice(_HIDING)}."
    ending = rng.choice([
        f"The {friend} was very happy, and from that day on they were best friends.",
        f'"Thank you," said the {friend}. Then they went home and slept well.',
        f"The {friend} never forgot that day, and the {hero} was proud.",
        f"They walked back to the {place} and had a big party."])
    return " ".join([opening, journey, meeting, search, finding, ending])
