"""Every kind of question, and how often training sees it."""

from . import calendar, language, numbers, project, small_facts, small_talk, stories, structured

KINDS = {
    "greetings": (small_talk.greetings, 4),
    "sums": (numbers.sums, 9),
    "counting": (numbers.counting, 8),
    "too big": (numbers.too_big, 2.5),
    "spelling": (language.spelling, 6),
    "repeating": (language.repeating, 2.5),
    "dates": (calendar.dates, 5),
    "capitals": (small_facts.capitals, 5),
    "colours": (small_facts.colours, 3),
    "facts": (small_facts.facts, 5),
    "about Assay": (project.about_assay, 9),
    "about Pip": (project.about_pip, 3),
    "stories": (stories.stories, 5),
    "unknown": (small_talk.unknown, 3.5),
    "JSON": (structured.structured, 5),
}
