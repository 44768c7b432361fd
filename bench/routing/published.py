"""What RouteLLM's authors report of their routers, gpt-4-1106-preview beside Mixtral 8x7B.

Source: arXiv 2406.18665, tables of MMLU and GSM8K. They were asked 14,037 and 1,307 questions, of which the data sets here
hold the part for development, and their routers had learned from some 65,000 comparisons of people, `augmented` ones from
judged or labelled answers too (about 1,500 of MMLU's own kind, none of GSM8K's).
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.routing.protocol import Figures

__all__ = ["PUBLISHED", "Published"]


@dataclass(frozen=True)
class Published:
    """A router of theirs."""

    name: str
    mmlu: Figures
    gsm8k: Figures


PUBLISHED = (
    Published("random", Figures(0.500, 50.1, 79.9), Figures(0.497, 50.0, 80.1)),
    Published(
        "matrix factorisation, comparisons only", Figures(0.524, 45.0, 76.9), Figures(0.475, 53.6, 85.2)
    ),
    Published("BERT, augmented", Figures(0.572, 41.3, 72.2), Figures(0.531, 44.8, 79.1)),
    Published(
        "language model of 8 billion, augmented", Figures(0.600, 35.5, 70.3), Figures(0.622, 33.6, 63.3)
    ),
    Published("matrix factorisation, augmented", Figures(0.597, 35.5, 71.4), Figures(0.565, 38.8, 72.6)),
    Published("similarity ranking, augmented", Figures(0.603, 35.4, 71.6), Figures(0.568, 41.2, 72.2)),
)
