"""What is measured, for those who watch over a gateway: counters of events, the journal's timeline, what waits."""
