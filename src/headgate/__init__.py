"""Headgate: the gate between applications and language models."""

__version__ = "0.1.0"
