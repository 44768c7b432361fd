"""Whose money a request spends, and how much of it may be spent. `stage.Budget` finds the budgets and gives the exchange a
purse; dispatch has it set aside, before each attempt, the most that the attempt can cost; what was not needed comes back."""
