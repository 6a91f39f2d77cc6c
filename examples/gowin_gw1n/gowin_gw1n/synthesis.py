"""What Yosys calls the family's cells: what it calls them for the built-in target `gowin`.

A family whose cells no built-in target has gives all fields of `Target`.
"""

from dataclasses import replace

from kan_dialect.flows.tools.synthesis import find_target

GW1N = replace(find_target("gowin"), name="gw1n")
