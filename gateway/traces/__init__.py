"""The way of each submission as a trace of OpenTelemetry, told from the journal to a collector."""
