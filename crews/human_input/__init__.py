"""How crews ask people: the tool `ask_human`, and reviews of tasks."""
