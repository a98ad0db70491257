"""From Teams to the store: what people type, press and write."""
