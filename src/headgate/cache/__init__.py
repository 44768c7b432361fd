"""Never pay twice: an answer that is there already is given again, and identical calls under way are made once."""
