"""What it will cost, what it has cost, what it would have cost, and how far our own count of tokens is off."""
