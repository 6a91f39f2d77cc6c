"""`make reference`: renews the text of pages and modules that is made from the code."""

from generators.option_types import modules
from generators.pages import renew_pages

for module, text in modules().items():
    if module.read_text() != text:
        module.write_text(text)
        print(f"renewed {module}")
for path in renew_pages():
    print(f"renewed {path}")
