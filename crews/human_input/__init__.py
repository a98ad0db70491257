"""Where a crew asks people: the tool, reviews, and questions of the system's own."""
