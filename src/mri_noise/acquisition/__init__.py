"""A scan and its noise, which of its samples are kept, and its coil maps."""
