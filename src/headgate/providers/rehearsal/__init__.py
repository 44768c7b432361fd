"""Fault rehearsal: a real provider's calls meet faults that an operator has ordered, for a share of them and for a time."""
