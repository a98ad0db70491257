"""The domain, independent of any platform: runs, questions, policies, events and the ports to the store."""
