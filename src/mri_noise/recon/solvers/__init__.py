"""Solutions of the normal equations of an encoding."""
