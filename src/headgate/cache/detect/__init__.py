"""When a request is not answered from memory, and what in an answer is nobody else's business.

Detectors are cautious where a wrong answer could be given, and let the operator switch each off per feature (`let`). They see
words and forms of numbers, not meaning: each module says what it misses and what it takes for something else. How often each
one fires on other people's questions, `python -m bench.cache.detectors` counts.
"""
