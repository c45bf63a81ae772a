"""Results files in the paper's JSON Lines format, in and out without loss.

`import_results` takes a file in as a run, whole or not at all: the caller's transaction decides. Files about the same
prompts share them (same id, text and target), so that their runs stand side by side; equal passages are stored once.
`export_results` gives back the records, equal field by field, in the order of the file; `write_results` writes them.
"""

from app.interchange.results_in import NULLS, UNKNOWN, Destination, import_results
from app.interchange.results_out import example_record, example_records, export_results, write_results

__all__ = [
    "NULLS",
    "UNKNOWN",
    "Destination",
    "example_record",
    "example_records",
    "export_results",
    "import_results",
    "write_results",
]
