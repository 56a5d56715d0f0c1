"""What a training minimises, each objective by its paper's definition."""
