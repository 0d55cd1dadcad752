"""Capitals, colours, opposites, animal sounds and a few facts about the world."""

from .turn import asked
from .words import DAYS, MONTHS, with_article

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon", "Austria": "Vienna",
    "Poland": "Warsaw", "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm", "Finland": "Helsinki",
    "Denmark": "Copenhagen", "Ireland": "Dublin", "Hungary": "Budapest", "Japan": "Tokyo", "China": "Beijing",
    "Egypt": "Cairo", "Kenya": "Nairobi", "Canada": "Ottawa", "Peru": "Lima", "Cuba": "Havana", "Belgium": "Brussels",
    "Turkey": "Ankara", "Thailand": "Bangkok", "Iceland": "Reykjavik", "Chile": "Santiago", "England": "London",
    "India": "New Delhi", "Switzerland": "Bern", "Russia": "Moscow", "the Netherlands": "Amsterdam",
    "the United States": "Washington",
}
_SOUNDS = {"dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "lion": "roar", "frog": "croak",
           "bee": "buzz", "mouse": "squeak", "horse": "neigh", "pig": "oink", "owl": "hoot", "snake": "hiss", "wolf": "howl"}
_OPPOSITES = [pair.split("/") for pair in """hot/cold big/small fast/slow day/night up/down left/right old/young happy/sad
open/closed full/empty light/dark early/late high/low hard/soft long/short loud/quiet rich/poor strong/weak wet/dry near/far
thick/thin true/false""".split()]
_THINGS = {"snow": "white", "grass": "green", "milk": "white", "coal": "black", "a lemon": "yellow", "a banana": "yellow",
           "a tomato": "red", "a carrot": "orange", "chocolate": "brown", "the sky": "blue", "the sea": "blue", "blood": "red",
           "a strawberry": "red", "a leaf": "green", "the night": "black", "the sun": "yellow"}
_MIXES = {("red", "blue"): "purple", ("red", "yellow"): "orange", ("blue", "yellow"): "green", ("black", "white"): "grey",
          ("red", "white"): "pink"}
_LEGS = {"dog": 4, "cat": 4, "spider": 8, "bird": 2, "ant": 6, "horse": 4, "bee": 6, "cow": 4, "duck": 2, "sheep": 4, "frog": 4, "human": 2}
_FACTS = [
    (["How many days are in a week?", "How many days does a week have?", "What is the number of days in a week?", "How long is a week?"],
     "There are 7 days in a week."),
    (["How many months are in a year?", "How many months does a year have?"], "There are 12 months in a year."),
    (["How many days are in a year?", "How many days does a year have?"], "There are 365 days in a year."),
    (["How many hours are in a day?", "How many hours does a day have?"], "There are 24 hours in a day."),
    (["How many minutes are in an hour?", "How many minutes does an hour have?"], "There are 60 minutes in an hour."),
    (["How many seconds are in a minute?", "How many seconds does a minute have?"], "There are 60 seconds in a minute."),
    (["Which planet do we live on?", "What is our planet called?", "What planet is this?"], "We live on the planet Earth."),
    (["What do bees make?", "What do bees produce?"], "Bees make honey."),
    (["What do cows eat?", "What does a cow eat?"], "Cows eat grass."),
    (["At what temperature does water boil?", "When does water boil?", "How hot is boiling water?"], "Water boils at 100 degrees Celsius."),
    (["At what temperature does water freeze?", "When does water freeze?"], "Water freezes at 0 degrees Celsius."),
    (["What are the primary colours?", "Name the primary colours.", "Tell me the primary colours."], "The primary colours are red, blue and yellow."),
    (["What are the seasons?", "Name the four seasons.", "List the seasons.", "How many seasons are there?"],
     "The four seasons are spring, summer, autumn and winter."),
    (["List the days of the week.", "What are the days of the week?", "Name all the days of the week.", "Name the days of the week.", "List the days."],
     f"The days of the week are {', '.join(DAYS[:6])} and Sunday."),
    (["List the months.", "What are the months of the year?", "Name all the months of the year.", "List the months of the year."],
     f"The months of the year are {', '.join(MONTHS[:11])} and December."),
    (["Recite the alphabet.", "Say the alphabet.", "What are the letters of the alphabet?", "What is the alphabet?"], " ".join("abcdefghijklmnopqrstuvwxyz")),
    (["Name some colours.", "List some colours.", "Tell me some colours.", "Name three colours."], "Red, blue and green are colours."),
    (["Name some animals.", "List some animals.", "Name three animals."], "A fox, a bear and a rabbit are animals."),
]


def capitals(rng):
    country = rng.choice(sorted(CAPITALS))
    city = CAPITALS[country]
    if rng.random() < 0.2:
        return asked(rng, [f"Where is {city}?", f"In which country is {city}?"], f"{city} is in {country}.")
    return asked(rng, [f"What is the capital of {country}?", f"What's the capital of {country}?", f"Name the capital of {country}.",
                       f"Which city is the capital of {country}?", f"Tell me the capital of {country}.", f"Capital of {country}?"],
                 f"The capital of {country} is {city}.")


def colours(rng):
    if rng.random() < 0.3:
        (a, b), mixed = rng.choice(sorted(_MIXES.items()))
        a, b = rng.sample([a, b], 2)
        return asked(rng, [f"What do you get when you mix {a} and {b}?", f"Mix {a} and {b}.", f"What colour do {a} and {b} make?"],
                     f"{a.capitalize()} and {b} make {mixed}.")
    thing = rng.choice(sorted(_THINGS))
    return asked(rng, [f"What colour is {thing}?", f"What color is {thing}?", f"Which colour is {thing}?", f"Tell me the colour of {thing}."],
                 f"{thing.capitalize()} is {_THINGS[thing]}.")


def facts(rng):
    shape = rng.randrange(5)
    if shape == 0:
        animal = rng.choice(sorted(_SOUNDS))
        return asked(rng, [f"What does {with_article(animal)} say?", f"What sound does {with_article(animal)} make?"],
                     f"{with_article(animal).capitalize()} says {_SOUNDS[animal]}.")
    if shape == 1:
        a, b = rng.sample(rng.choice(_OPPOSITES), 2)
        return asked(rng, [f"What is the opposite of {a}?", f"Opposite of {a}?", f"Tell me the opposite of {a}."], f"The opposite of {a} is {b}.")
    if shape == 2:
        animal = rng.choice(sorted(_LEGS))
        return asked(rng, [f"How many legs does {with_article(animal)} have?", f"How many legs has {with_article(animal)}?"],
                     f"{with_article(animal).capitalize()} has {_LEGS[animal]} legs.")
    return asked(rng, *rng.choice(_FACTS))
