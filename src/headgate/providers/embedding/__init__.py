"""Texts -> vectors, on this machine, from a file that `python -m headgate.providers.embedding.build` made beforehand."""
