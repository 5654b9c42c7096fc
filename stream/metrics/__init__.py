"""What is counted (`catalogue`), the collectors (`registry`), and where they can be read (`server`)."""
