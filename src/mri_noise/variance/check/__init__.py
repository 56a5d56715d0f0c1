"""Whether the linearisation holds, and what follows."""
