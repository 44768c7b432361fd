"""Answers that are given again: how often, what it saves, how often it is wrong; looked through, removed, judged by people, warmed."""
