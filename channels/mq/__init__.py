"""The door to message queues."""
