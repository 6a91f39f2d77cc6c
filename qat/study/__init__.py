"""Studies of trainings: what STUDY.toml asks for, and the work in tasks."""
