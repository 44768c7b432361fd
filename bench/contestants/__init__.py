"""Who is measured: one module each, and the list of them in `roster.py`."""

__all__: list[str] = []
