"""Facts about IR that passes and reports ask for; nothing here changes IR."""
