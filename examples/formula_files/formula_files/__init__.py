"""Networks in files of formulas; `formula_files.frontend` reads them."""
