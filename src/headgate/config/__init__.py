"""All settings as one typed model: read from TOML, checked whole before use, swapped whole when the file changes."""
