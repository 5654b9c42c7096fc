"""Brokers and topics.

What a topic is (`topics`, `topic_admin`), how a client is built (`client`), where a customer lives
(`partitioner`), and a real Kafka for one machine (`broker`, `jars`).
"""
