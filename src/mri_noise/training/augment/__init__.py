"""Random transforms of examples, under which an ideal reconstruction would change with its input or not at all."""
