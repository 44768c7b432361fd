"""How well questions in other words are told from other questions: data made by us, training, figures."""
