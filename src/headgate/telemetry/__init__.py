"""What is told to whoever watches a gateway from outside. All names in one place, `names.py`."""
