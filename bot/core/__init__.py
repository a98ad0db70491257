"""What Crewdeck is about, without any platform: runs, questions, rules, events and the port to the store."""
