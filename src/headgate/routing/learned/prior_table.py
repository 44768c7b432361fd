"""Numbers of the prior that is shipped; written by bench/routing/write_prior.py, not by hand.

Learned from 6,037 questions of MMLU and GSM8K and whether gpt-4-1106-preview (strong) and Mixtral 8x7B (weak) answered
them rightly, as published by RouteLLM (Apache-2.0).
"""

from __future__ import annotations

__all__ = ["BASES", "PRIOR"]

BASES = (0.6748, 0.8077)
"""Mean quality, weak and strong."""

PRIOR = {
    "characters": (5.7768, 0.75983, -0.010676, -0.032782),
    "words": (4.0048, 0.74678, 0.020925, 0.022351),
    "word_length": (4.6422, 0.6875, 0.36335, 0.25137),
    "long_words": (0.11839, 0.077399, -0.0040948, -0.020074),
    "numbers": (0.7075, 0.89349, -0.13521, 0.022907),
    "digits": (0.015944, 0.034128, -0.32578, -0.81016),
    "distinct_numbers": (0.63448, 0.78231, -0.27873, -0.19559),
    "operators": (0.5308, 0.7102, -0.078347, -0.11193),
    "reasoning": (0.62102, 0.6956, 0.040372, -0.20367),
    "reasoning_share": (0.020538, 0.031108, -0.30067, -0.017682),
    "negations": (0.41604, 0.61921, -0.39788, 0.0046328),
    "question_words": (0.65531, 0.48171, 0.016763, 0.10799),
    "question_marks": (0.44377, 0.3472, 0.10646, 0.058736),
    "lines": (1.6783, 0.52199, 0.15297, 0.093726),
    "marks": (0.0449, 0.031136, -0.26395, -0.4723),
    "capitals": (0.04292, 0.0295, 0.063914, 0.24317),
    "sentences": (2.4626, 0.37183, -0.25076, -0.42237),
    "sentence_length": (1.8276, 0.53287, 0.19395, 0.19674),
    "distinct_words": (0.72007, 0.15402, 0.51936, 0.28134),
    "code_marks": (0.37716, 0.73559, -0.0054544, 0.0033335),
    "other_scripts": (0.0027062, 0.014123, -0.07521, -0.075248),
    "blanks": (0.076703, 0.41532, 0.20209, 0.26422),
    "commas": (0.87446, 0.94703, -0.1625, 0.058112),
}
"""Feature: its mean, its spread, its weight for a weak model, for a strong one."""
