"""What an operator does, a module per noun."""
