"""What is drawn on the canvas.

layers: made here alone; arrivals: one at a time; region_layer; furniture, letters: text, names and colour bars; keys;
backdrop, side_by_side, sweep_stack, tiles, whole_view: how layers share the canvas.
"""
