"""Reference of passes and ops as Markdown: the documentation and `kan-opt --help-pass` print it."""
