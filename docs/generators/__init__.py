"""Reference pages of the site, made from the code. `docs/hooks.py` puts them into the pages.

A page has a line `<!-- generated: NAME -->` where the text of the generator NAME goes.
"""
