"""One file per page. `PAGES` lists the modules whose `router` the application includes."""

PAGES = (
    "home",
    "prompts",
    "runs",
    "example",
    "passage",
    "about",
    "health",
    "differ",
    "compare",
    "upload",
    "imports",
    "social",
    "cite",
    "trace",
    "traces",
    "api_traces",
)
