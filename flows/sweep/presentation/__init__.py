"""The results of a sweep as tables, pictures and an interactive page."""
