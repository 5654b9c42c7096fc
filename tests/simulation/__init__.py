"""The worker's logic against an in-memory log, under a seeded scheduler: crashes, zombies, delays, takeovers."""
