"""What can be said of a customer: the catalogue of features and how each is read from a row at a time."""
