"""What each role of the daemon opens, in which order, and closes in the reverse."""
