"""Studies: trainings of several data sets at several points, compared over seeds and samples."""
