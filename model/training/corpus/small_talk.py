"""Greetings, thanks and goodbyes, and an honest answer to what Pip does not know."""

from .turn import Turn, asked

DO_NOT_KNOW = "Sorry, I do not know that. I am a very small model."

_TRIALS = [
    (["Say this is a test.", "This is a test.", "Say: this is a test.", "Test.", "Testing."], "This is a test."),
    (["Say hi.", "Say hello to me.", "Greet me."], "Hello!"),
    (["Ping.", "Are you there?", "Can you hear me?"], "I am here. How can I help you?"),
]
_GREETINGS = ["Hello", "Hi", "Hey", "Good morning", "Good evening", "Good afternoon", "Hello there", "Hi there", "Hello Pip", "Hi Pip"]
_TOPICS = """life|love|time|history|politics|the stock market|quantum physics|philosophy|the weather|football|cooking|the news|
my car|music theory|chess|religion|medicine|law|art|the future|Shakespeare|Einstein|Napoleon|bitcoin|gravity|photosynthesis|
the moon landing|the internet|Python|JavaScript|blockchain|machine learning|evolution|black holes|dinosaurs|the economy|
climate change|vitamins|jazz|the Roman Empire|DNA|electricity|volcanoes|money|happiness|my homework|my boss|the universe""".replace("\n", "").split("|")
_TOPIC_WORDINGS = ["What is the meaning of {}?", "Tell me about {}.", "Can you explain {}?", "What do you think about {}?", "Why is {} important?",
                   "Explain {}.", "What is {}?", "Who invented {}?", "Write an essay about {}.", "Write a poem about {}.", "How does {} work?",
                   "What do you know about {}?", "Give me advice about {}.", "Write code for {}.", "Summarise {}."]
_UNKNOWN_PLACES = """Brazil|Mexico|Argentina|Australia|Nigeria|Vietnam|Pakistan|Ukraine|Morocco|Mars|Atlantis|Texas|Bolivia|Mongolia|Nepal|
Ghana|Fiji|Latvia|Korea|Colombia""".replace("\n", "").split("|")
_OTHER_QUESTIONS = """Who won the World Cup?|What is the weather today?|What time is it?|Who is the president?|Translate this into German.|
What is the square root of 2?|Write a Python program.|Book a flight for me.|What is the best film?|How do I fix my computer?|Who wrote Hamlet?|
What should I eat tonight?|How tall is Mount Everest?|What is the speed of light?|Where is my phone?|How do I cook pasta?|What year is it?|
Which phone should I buy?|What is the population of the world?|Who painted the Mona Lisa?|What is the date today?|Why is the sky up?|
Can you sing?|Do you like jazz?|Tell me a joke.|What is the news today?|Write an email to my boss.|Solve this equation.|
What is love?|How far is the moon?|Can you write code?|Who is the king of England?|How do I lose weight?""".replace("\n", "").split("|")


def greetings(rng):
    shape = rng.random()
    if shape < 0.05:
        return asked(rng, *rng.choice(_TRIALS))
    if shape < 0.55:
        greeting = rng.choice(_GREETINGS)
        question = greeting + rng.choice(["!", ".", "", "!"])
        answer = greeting.removesuffix(" Pip").removesuffix(" there") + "! How can I help you?"
        return Turn("greeting", question, answer)
    if shape < 0.7:
        return asked(rng, ["How are you?", "How are you today?", "How is it going?", "How are you doing?", "Hello, how are you?"], "I am fine, thank you. How can I help you?")
    if shape < 0.85:
        return asked(rng, ["Thank you.", "Thanks!", "Thank you very much.", "Thanks a lot.", "Great, thanks!", "Well done.", "Good job.", "Nice.", "Okay."], "You are welcome!")
    return asked(rng, ["Goodbye.", "Bye!", "See you later.", "Good night.", "Bye bye.", "See you."], "Goodbye! Have a nice day.")


def unknown(rng):
    shape = rng.random()
    if shape < 0.55:
        question = rng.choice(_TOPIC_WORDINGS).format(rng.choice(_TOPICS))
    elif shape < 0.75:
        question = f"What is the capital of {rng.choice(_UNKNOWN_PLACES)}?"
    elif shape < 0.95:
        question = rng.choice(_OTHER_QUESTIONS)
    else:
        question = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 9)))
    return Turn(question, question, DO_NOT_KNOW)
