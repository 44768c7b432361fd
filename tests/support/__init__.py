"""What tests share. Fakes for users of the project live in `headgate.testing`, not here."""
