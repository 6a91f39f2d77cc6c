"""`make reference`: renews the text that pages have from the code."""

from generators.pages import renew_pages

for path in renew_pages():
    print(f"renewed {path}")
