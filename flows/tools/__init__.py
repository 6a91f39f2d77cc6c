"""External tools: synthesis, place and route, and running them within limits."""
