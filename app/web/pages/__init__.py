"""One file per page. `PAGES` lists the modules whose `router` the application includes."""

PAGES = ("home", "prompts", "runs", "example", "passage", "about", "health")
