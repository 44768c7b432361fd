"""How good answers are, and would be: feedback, scores, drift, contracts, replays."""
