"""Attempts: one call to one endpoint after the other until one answers, within deadlines."""
