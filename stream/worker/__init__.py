"""The worker: Faust's membership, batches, the numbered order, recovery, adoption, the trainer."""
