"""Networks that learn in hardware: layers, numbers, training step, memory of coefficients."""
