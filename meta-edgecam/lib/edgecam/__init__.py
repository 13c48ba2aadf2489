"""Owns what the layer's recipes call in Python."""

BBIMPORTS = ["project"]
