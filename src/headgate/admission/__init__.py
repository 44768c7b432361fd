"""Who may ask. `stage.Identify` turns a key into a Caller, once; limits and budgets will join it here."""
