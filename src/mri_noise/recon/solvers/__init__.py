"""Solutions of the normal equations of an encoding.

solve: the quickest that an encoding allows; conjugate_gradients; solution: an image and its verdict.
"""
