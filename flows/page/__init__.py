"""`report.html`: a page of a build, in one file, that needs no network and no library."""
