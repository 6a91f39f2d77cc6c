"""Which bits of a value, after an increment, a table needs: the search behind `kan-window-tables`.

`windows` lists the windows of a table, `costs` says what a table takes on a device, `shared_codes`
finds tables that read a value by one narrower code, and `increments` chooses the increments of a
value, and with them a window for each of its tables.

Entries are indexed by code modulo a power of two: a ring.
"""
