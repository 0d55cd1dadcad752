"""A seeded generator of small, clean dialogues: everything that Pip ever learns.

`dialogue.dialogue(rng)` makes one; `kinds.KINDS` lists what they are made of.
"""
