"""One file per page. `PAGES` lists the modules whose `router` the application includes."""

PAGES = (
    "exports",  # before the pages whose paths take any suffix
    "home",
    "prompts",
    "runs",
    "example",
    "passage",
    "evaluation",
    "evaluation_prompts",
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
