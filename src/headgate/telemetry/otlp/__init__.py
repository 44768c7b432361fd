"""Spans and metrics in OpenTelemetry's protocol, OTLP, over HTTP: names, messages, and what a collector's answer means.

`names.py` holds every name there is of OpenTelemetry's; what they are filled with is decided where the records are read.
Nothing here runs on the request path.
"""
