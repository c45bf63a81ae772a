"""The pages: one file each, and here the list of the modules whose `router` the application includes."""

PAGES = (
    "browsing.exports",  # before the pages whose paths take any suffix
    "asking.trace_export",
    "front.home",
    "browsing.prompts",
    "browsing.runs",
    "browsing.behind",
    "reading.example",
    "reading.passage",
    "finds.mistakes",
    "finds.finds",
    "judging.evaluation",
    "judging.evaluation_prompts",
    "judging.methods",
    "front.about",
    "front.health",
    "reading.differ",
    "reading.compare",
    "loading.upload",
    "loading.import_page",
    "reading.share",
    "reading.oembed",
    "front.machines",
    "reading.cite",
    "asking.form",
    "asking.trace_files",  # before the page whose path takes any suffix
    "asking.trace",
    "asking.api",
    "keeping.signing",
    "keeping.admin",
    "asking.batches",
)
