"""Edge functions fitted: splines, formulas, and copies of few shapes."""
