"""What is drawn on the canvas."""
