"""What can be proved of a document without a customer: conditions that never hold, segments nobody can enter."""
