"""How well the learned router routes: RouteLLM's protocol and nine models' scores, on rows handed in from outside."""
