"""Files that `torch.save` wrote, and state dicts."""
