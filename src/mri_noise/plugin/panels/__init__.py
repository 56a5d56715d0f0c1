"""The parts of docks."""
