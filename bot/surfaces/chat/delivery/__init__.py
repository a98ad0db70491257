"""From the store to a chat platform: threads, cards, answers, results."""
