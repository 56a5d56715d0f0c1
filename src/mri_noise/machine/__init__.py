"""What the computer has: memory, and how long a computation takes."""
