"""Receiving servers that answer as told, for the demo, for apps under test, for our own tests."""
