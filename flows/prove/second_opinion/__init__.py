"""A second opinion on a proof: Yosys reads, ABC decides, and no code of the proof is used."""
