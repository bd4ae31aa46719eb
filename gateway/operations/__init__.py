"""What do programs of operators and portals speak to?  HTTP on a socket of its own, never on a sender's."""
