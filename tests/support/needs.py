"""What each route of the application needs, said by hand: the matrix of roles and routes is held against it."""

# Everything that changes something, and what is not simply read: a new one must be written down here.
NEEDS = {
    "POST /trace": "ask",
    "POST /traces/{trace_id}/cancel": "ask",
    "POST /traces/{trace_id}/steps": "ask",
    "POST /traces/{trace_id}/span": "ask",
    "POST /api/traces": "ask",
    "POST /api/traces/{trace_id}/cancel": "ask",
    "POST /api/traces/{trace_id}/steps": "ask",
    "POST /runs/{slug}/prompts/{prompt}/tokens": "ask",
    "POST /runs/{slug}/prompts/{prompt}/span": "ask",
    "POST /traces": "ask",  # of the API, where addresses stand below /api/v1
    "POST /batches": "ask",
    "POST /batches/{batch_id}/cancel": "ask",
    "POST /uploads": "import",
    "POST /upload": "import",
    "POST /api/uploads": "import",
    "POST /admin/show": "admin",
    "POST /admin/remove": "admin",
    "GET /admin": "admin",
    "GET /metrics": "metrics",
    "GET /admin.json": "admin",
    "POST /sign-in": "nothing",
    "POST /sign-out": "nothing",
    "GET /sign-in": "nothing",
    "GET /healthz": "nothing",
    "GET /healthz.json": "nothing",
    "GET /readyz": "nothing",
    "GET /readyz.json": "nothing",
    "GET /robots.txt": "nothing",
    "GET /favicon.ico": "nothing",
}
