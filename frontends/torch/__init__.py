"""PyTorch modules in memory, and files that `torch.save` wrote."""
