"""Linear images of the noise whose covariance is known."""
