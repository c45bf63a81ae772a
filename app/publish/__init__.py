"""The static copy of a site: its own pages, asked of the application in this process, as files that any server shows."""
