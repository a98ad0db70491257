"""Questions over HTTP: listed, shown, answered, and the record of each decision."""
