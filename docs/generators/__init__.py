"""Text of pages that is made from the code; `make reference` puts it into the pages."""
