"""The word lists that several kinds of dialogue share."""

NAMES = """Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Maria Noah Olga Paul Rosa Sam Tina Victor Wendy
Max Lucy Peter Sofia Tom Nina Oscar Julia Adam Eva Hugo Mia Erik Lena Omar Zoe Ivan Ruth Karl Alice Bob Carol John Sarah""".split()
COLOURS = "red blue green yellow black white pink orange purple brown grey".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
ANIMALS = """fox bear rabbit wolf frog mouse lion duck owl cat dog horse tiger sheep goat bird fish snake hedgehog squirrel
dragon robot""".split()
NUMBER_WORDS = "zero one two three four five six seven eight nine ten".split()
SPELLED = """cat dog bird fish horse cow sheep goat duck mouse lion tiger bear wolf fox rabbit frog snake bee ant tree flower
grass leaf river lake sea mountain hill road house door window table chair book pen paper lamp clock phone car train boat
plane bike apple pear lemon orange grape bread milk water tea soup rice cake sugar salt sun moon star cloud rain snow wind
storm spring summer autumn winter red blue green yellow black white brown pink hand foot head nose mouth ear eye arm leg
heart king queen child friend teacher doctor farmer baker school garden kitchen market bridge tower castle music song dance
game ball story letter word number code model node network token prompt answer question computer server hello world pip
assay receipt gateway""".split()

_ONSETS = "b d f g h j k l m n p r s t v w z br dr gr kr tr sh th st".split()
_VOWELS = "a e i o u ai ee".split()
_CODAS = ["", "n", "l", "r", "s", "m", "k", "x", "th"]


def invented_name(rng):
    """A name from no list, so that the model learns to copy what it was told."""
    syllables = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice([1, 2, 2])))
    return (syllables + rng.choice(_CODAS)).capitalize()


def with_article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun
