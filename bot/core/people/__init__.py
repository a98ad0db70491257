"""Who acts and who may decide: actors, their identities, policies and API keys."""
