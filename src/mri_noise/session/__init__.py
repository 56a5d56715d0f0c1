"""What an open window knows and shows, without the window: plain Python, no Qt and no napari."""
