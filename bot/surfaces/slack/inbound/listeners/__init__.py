"""What Slack tells the app, one module for each kind. A listener reads its payload and names the work."""
