"""Conversations in which Pip calls functions that the client declared."""
