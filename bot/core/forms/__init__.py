"""Forms: typed fields, what people fill in, and forms as JSON Schema and of pydantic models. Pure."""
