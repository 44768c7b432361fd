"""HTTP in and out. Knows paths, dialects and bytes; nothing of money, models or policy."""
