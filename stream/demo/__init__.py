"""The demo: a year of a real shop through a real Kafka and a real worker, watched from outside.

Nothing in here is used by a worker. The demo knows what it sent; everything else it reads as any other program
would: from the worker's metrics and from its topics.
"""
