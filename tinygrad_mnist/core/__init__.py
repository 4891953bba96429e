"""The idea, in one sitting: `record`, `primitive`, `backward_pass`. It needs NumPy alone."""
