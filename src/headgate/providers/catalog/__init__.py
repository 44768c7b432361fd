"""What models cost: the price list that comes with the package, and what the operator says instead."""
