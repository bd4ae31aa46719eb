"""What do people see who watch over a gateway?  A few pages to look at, made on the server, without a script."""
