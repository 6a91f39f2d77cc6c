"""From KANs to hardware, and from hardware to text."""
