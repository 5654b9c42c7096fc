"""Cases: what a definitions document says of one customer, written beside it and played through the core."""
