"""What happened, written down: the outermost stage appends to a journal, one thread moves the journal to the database.

The request path never waits for a disk or a database. An attempt is in the journal before its first byte leaves, so that
a killed process loses no record of a request that may have cost money. `stage.py` is the first file to read.
"""
