"""Tasks in processes of this machine and on clusters, for commands with many designs."""
