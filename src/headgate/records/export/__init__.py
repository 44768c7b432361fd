"""Records handed on to other systems, once they are stored. `exporter.py` is the first file to read."""
