"""Questions, the responses to them, and the rules that decide. Pure."""
