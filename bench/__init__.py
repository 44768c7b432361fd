"""Headgate measured beside its peers, over one calibrated upstream: `make bench`."""

__all__: list[str] = []
