"""Composition root: settings in, running daemon out. The only file that names concrete classes."""
