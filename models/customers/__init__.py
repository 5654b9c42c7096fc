"""One row a customer: its layout, how an event is added to it, and the table that holds the rows."""
