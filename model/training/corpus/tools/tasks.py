"""What Pip is asked to do with functions. Each task draws an `Errand`; its key is what the test may hold out."""

import json

from ..small_facts import CAPITALS
from ..words import ANIMALS, COLOURS, DAYS, NAMES, SPELLED, invented_name, with_article
from .declaration import Function, Parameter
from .errand import Call, Errand, resulting

_CITIES = sorted(CAPITALS.values()) + ["San Francisco", "San Francisco, CA", "New York", "Boston, MA", "Hamburg", "Munich", "Milan", "Barcelona",
                                       "Geneva", "Osaka", "Toronto", "Chicago", "Seattle, WA", "Los Angeles, CA"]
_SKIES = ["sunny", "rainy", "cloudy", "foggy", "windy", "clear", "snow", "rain", "warm", "cold", "hot"]
_FAILURES = ["no such place", "not found", "the service is down", "timeout", "wrong input", "no access", "try again later"]
_TEXT, _WHOLE, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}


def weather(rng):
    places = rng.sample(_CITIES, 2 if rng.random() < 0.15 else 1)
    function, parameter = _weather_function(rng)
    told = {place: _sky(rng) for place in places}
    calls = [Call(function.name, {parameter: place}, said) for place, said in told.items()]
    question = rng.choice(["What is the weather in {}?", "What's the weather in {}?", "What is the weather like in {}?", "How is the weather in {}?",
                           "Tell me the weather in {}.", "Weather in {}?", "What's the weather like in {} today?"]).format(" and ".join(places))
    answer = " ".join(f"The weather in {place}: {_sentence(said)}" for place, said in told.items())
    return Errand(f"weather {places[0]}", [function], question, [calls], answer)


def arithmetic(rng):
    verb, sign, about, compute = rng.choice([
        ("add", "+", "Adds two numbers.", lambda a, b: a + b), ("multiply", "*", "Multiplies two numbers.", lambda a, b: a * b),
        ("subtract", "-", "Takes one number from the other.", lambda a, b: a - b)])
    first, second = rng.choice([("a", "b"), ("x", "y"), ("left", "right"), ("first", "second"), ("n1", "n2")])
    name = rng.choice([verb, f"{verb}_numbers", f"{verb}_two", f"my_{verb}", f"{verb}er_tool", "calculate", f"{verb}_tool"])
    function = Function(name, about, [Parameter(first, _numeric(rng)), Parameter(second, _numeric(rng))])
    top = rng.choice([9, 99, 999])
    a, b = rng.randint(0, top), rng.randint(0, top)
    wordings = {"+": ["What is {a} + {b}?", "What is {a} plus {b}?", "Add {a} and {b}.", "What is {a} + {b}"],
                "*": ["What is {a} * {b}?", "What is {a} times {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}."],
                "-": ["What is {a} - {b}?", "What is {a} minus {b}?", "Subtract {b} from {a}."]}[sign]
    question = rng.choice(wordings).format(a=a, b=b) + _hint(rng)
    said = resulting(rng, rng.choice(["result", "value", "sum"] if sign == "+" else ["result", "value"]), compute(a, b))
    return Errand(f"{sign} {a} {b}", [function], question, [[Call(name, {first: a, second: b}, said)]], f"The result is {compute(a, b)}.")


def function_value(rng):
    name, parameter = _invented_function(rng), rng.choice(["input", "x", "n", "value", "number", "arg", "i"])
    none = rng.random() < 0.2
    if none:
        name = name + rng.choice(["_no_args", "", "_now"])
    text = not none and rng.random() < 0.15
    value = rng.choice(SPELLED) if text else rng.randint(0, rng.choice([9, 99, 999]))
    function = Function(name, rng.choice(["Applies a magic function to an input.", "Calculates a value.", "A special function.", ""]),
                        [] if none else [Parameter(parameter, _TEXT if text else _numeric(rng))])
    call = f"{name}()" if none else f"{name}({value})"
    question = rng.choice(["What is the value of {}?", "What is {}?", "Calculate {}.", "Tell me the value of {}.", "Call {}."]).format(call)
    if not none and rng.random() < 0.2:
        question = rng.choice(["Call {} with {}.", "Use {} with the input {}.", "Run {} on {}."]).format(name, value)
    result = rng.randint(0, 999)
    said = resulting(rng, rng.choice(["result", "value", "output"]), result)
    return Errand(f"value {name} {value}", [function], question + _hint(rng), [[Call(name, {} if none else {parameter: value}, said)]],
                  f"The result is {result}.")


def clock(rng):
    place, parameter = rng.choice(_CITIES), rng.choice(["city", "place", "location", "timezone"])
    function = Function(rng.choice(["get_time", "current_time", "time_in", "clock"]), "Tells what time it is in a place.", [Parameter(parameter, _TEXT, "The place.")])
    time = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    question = rng.choice(["What time is it in {}?", "What is the time in {}?", "Tell me the time in {}."]).format(place)
    return Errand(f"time {place}", [function], question, [[Call(function.name, {parameter: place}, resulting(rng, "time", time))]], f"It is {time} in {place}.")


def search(rng):
    topic = " ".join(rng.sample(SPELLED, rng.randint(1, 3)))
    parameter = rng.choice(["query", "q", "text", "question"])
    function = Function(rng.choice(["search", "web_search", "look_up", "search_documents", "find"]), "Searches for a text.", [Parameter(parameter, _TEXT, "What to look for.")])
    found = " ".join(rng.sample(SPELLED, rng.randint(1, 4)))
    question = rng.choice(["Search for {}.", "Look up {}.", "Find {}.", "Please search for {}.", "Search the documents for {}."]).format(topic)
    return Errand(f"search {topic}", [function], question, [[Call(function.name, {parameter: topic}, found)]], f"I found this: {found}.")


def record(rng):
    """The values stand in the question and belong into the arguments, in the order in which they were declared."""
    noun = rng.choice(["person", "user", "order", "note", "event", "ticket", "task", "animal", "city", "player", invented_name(rng).lower()])
    fields = rng.sample(_FIELDS, rng.randint(1, 4))
    drawn = [(name, schema(rng), *draw(rng)) for name, schema, draw in fields]
    parameters = [Parameter(name, schema, f"The {name} of the {noun}.") for name, schema, _, _ in drawn]
    if rng.random() < 0.2:
        parameters.append(Parameter(rng.choice(["comment", "tag", "extra"]), _TEXT, "Optional.", required=False))
    verb = rng.choice(["save", "create", "add", "book", "store", "register"])
    name = rng.choice([f"{verb}_{noun}", f"{verb}_{noun}", noun.capitalize(), f"{verb}{noun.capitalize()}", "final_result"])
    told = [f"{field} {said}" for field, _, _, said in drawn]
    if rng.random() < 0.3:
        rng.shuffle(told)
    listed = rng.choice([", ", " and "]).join(told) if len(told) < 3 else ", ".join(told[:-1]) + rng.choice([", ", " and "]) + told[-1]
    question = rng.choice(["{verb} {a_noun}: {listed}.", "{verb} {a_noun} with {listed}.", "{verb} this {noun}: {listed}."]).format(
        verb=verb.capitalize(), noun=noun, a_noun=with_article(noun), listed=listed)
    said = rng.choice(["ok", "done", "saved", f"number {rng.randint(1, 99)}", json.dumps({"id": rng.randint(1, 99)})])
    return Errand(f"record {listed}", [Function(name, rng.choice([f"{verb.capitalize()}s {with_article(noun)}.", ""]), parameters)], question,
                  [[Call(name, {field: value for field, _, value, _ in drawn}, said)]], f"Done: {_sentence(said)}")


def greeting(rng):
    name = rng.choice(NAMES) if rng.random() < 0.5 else invented_name(rng)
    parameter = rng.choice(["name", "person", "who", "answer_style", "style"])
    function = Function(rng.choice(["greet", "say_hello", "greeting_generator", "make_greeting"]), "Makes a greeting.", [Parameter(parameter, _TEXT)])
    question = rng.choice(["Greet {}.", "Say hello to {}.", "Make a greeting for {}.", "Using the tool, generate a {} greeting."]).format(name)
    made = rng.choice([f"Hello {name}", f"Good day {name}", f"Welcome {name}"])
    return Errand(f"greet {name}", [function], question, [[Call(function.name, {parameter: name}, made)]], f"Done: {made}.")


def joke(rng):
    function = Function(rng.choice(["Joke", "joke", "tell_joke", "final_result"]), rng.choice(["Joke to tell user.", "A joke.", ""]),
                        [Parameter("setup", _TEXT, "The question."), Parameter("punchline", _TEXT, "The answer.")])
    about, arguments = a_joke(rng)
    question = rng.choice(["Tell me a joke about {}.", "Tell me a joke about {}", "A joke about {}, please."]).format(about)
    return Errand(f"joke {about}", [function], question, [[Call(function.name, arguments, "ok")]], "Done: ok.")


def chain(rng):
    """Two steps: the second call needs the first one's result."""
    country = rng.choice(sorted(CAPITALS))
    lookup = Function(rng.choice(["get_capital", "capital_of"]), "Names the capital of a country.", [Parameter("country", _TEXT)])
    function, parameter = _weather_function(rng)
    said = _sky(rng)
    city = CAPITALS[country]
    return Errand(f"chain {country}", [lookup, function], f"What is the weather in the capital of {country}?",
                  [[Call(lookup.name, {"country": country}, city)], [Call(function.name, {parameter: city}, said)]], f"The weather in {city}: {_sentence(said)}")


def failing(rng):
    """Any task of one call, whose tool fails."""
    errand = rng.choice([weather, clock, search, function_value])(rng)
    failure = rng.choice(_FAILURES)
    steps = [[Call(call.name, call.arguments, f"Error: {failure}") for call in errand.steps[0][:1]]]
    return Errand(errand.key, errand.functions, errand.question, steps, f"The tool failed: {failure}.") if len(errand.steps[0]) == 1 else errand


def a_joke(rng):
    """What it is about, and its two halves."""
    animal = rng.choice(ANIMALS)
    place, reason = rng.choice([("road", "To get to the other side."), ("river", "It wanted a bath."), ("bridge", "The water was cold.")])
    return f"{animal}s", {"setup": f"Why did the {animal} cross the {place}?", "punchline": reason}


def _weather_function(rng):
    parameter = rng.choice(["city", "location", "place"])
    name = rng.choice(["get_weather", "get_current_weather", "weather", "weather_in", "getWeather", "weather_tool"])
    parameters = [Parameter(parameter, _TEXT, rng.choice(["The city.", "The city and state, e.g. San Francisco, CA"]))]
    if rng.random() < 0.2:
        parameters.append(Parameter("unit", {"type": "string", "enum": ["celsius", "fahrenheit"]}, required=False))
    return Function(name, rng.choice(["Tells the weather in a city.", "Get weather at a location.", "Get the current weather.", "Get the weather in a given location"]), parameters), parameter


def _sky(rng):
    sky, degrees = rng.choice(_SKIES), rng.randint(-9, 39)
    return rng.choice([sky, f"{sky}, {degrees} degrees", f"It's {sky}.", f"{degrees} degrees", json.dumps({"sky": sky, "degrees": degrees})])


def _sentence(said):
    """A result in words: an object is told as its keys with their values."""
    if said.startswith("{"):
        said = ", ".join(f"{key} {value}" for key, value in json.loads(said).items())
    return said if said.endswith(".") else said + "."


def _numeric(rng):
    return rng.choice([_WHOLE, _WHOLE, _NUMBER])


def _invented_function(rng):
    return rng.choice(["magic_function", f"{rng.choice(SPELLED)}_{rng.choice(SPELLED)}", f"{invented_name(rng).lower()}_function",
                       f"get_{rng.choice(SPELLED)}", invented_name(rng).lower()])


def _hint(rng):
    return rng.choice(["", "", "", " Use the tool.", " You must use the tool to answer.", " Use a tool."])


def _said(value):
    """A value, and how the question says it."""
    return value, str(value)


def _one_of(values):
    return lambda rng: _said(rng.choice(values))


def _whole(low, high):
    return lambda rng: _said(rng.randint(low, high))


def _yes_or_no(rng):
    return rng.choice([(True, "true"), (False, "false"), (True, "yes"), (False, "no")])


# Name, schema and value of what a record may hold.


_FIELDS = [
    ("name", lambda rng: _TEXT, _one_of(NAMES)),
    ("city", lambda rng: _TEXT, _one_of(_CITIES[:40])),
    ("animal", lambda rng: _TEXT, _one_of(ANIMALS)),
    ("title", lambda rng: _TEXT, lambda rng: _said(" ".join(rng.sample(SPELLED, rng.randint(1, 2))))),
    ("colour", lambda rng: rng.choice([_TEXT, {"type": "string", "enum": COLOURS[:6]}]), _one_of(COLOURS[:6])),
    ("day", lambda rng: rng.choice([_TEXT, {"type": "string", "enum": DAYS}]), _one_of(DAYS)),
    ("age", lambda rng: _WHOLE, _whole(1, 99)),
    ("count", lambda rng: _WHOLE, _whole(0, 20)),
    ("size", lambda rng: _NUMBER, _whole(1, 500)),
    ("price", lambda rng: _NUMBER, lambda rng: _said(rng.randint(1, 99) + 0.5)),
    ("open", lambda rng: _FLAG, _yes_or_no),
    ("paid", lambda rng: _FLAG, _yes_or_no),
]

TASKS = {weather: 5, arithmetic: 4, function_value: 6, clock: 2, search: 3, record: 6, greeting: 1, joke: 1, chain: 1.5, failing: 1.5}
