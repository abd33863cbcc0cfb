"""Readers of the journal: they tell the world."""
