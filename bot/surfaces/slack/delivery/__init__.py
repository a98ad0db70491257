"""From the store to Slack: what happened in runs, shown in their threads and in App Home."""
