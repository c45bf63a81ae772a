"""A dense model without a model hub: WordLlama's word embeddings as a sentence-transformers directory.

    pip install --no-deps wordllama==0.4.0.post1   # MIT; its wheel holds the embeddings, 16 MB
    pip install "sentence-transformers>=6,<7"
    python docs/dense_model.py wordllama-256
    STARTRAIL_DENSE_MODEL=wordllama-256 startrail retrieve demo --prompts demo --method dense --run dense

A text's embedding is the mean of its tokens'. It is the smallest thing that deserves the name; any other
sentence-transformers model on disk is named in the same way.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

if len(sys.argv) != 2:
    raise SystemExit("usage: python docs/dense_model.py DIRECTORY")
found = find_spec("wordllama")
if found is None or found.origin is None:
    raise SystemExit("error: wordllama is not installed. Run: pip install --no-deps wordllama==0.4.0.post1")
package = Path(found.origin).parent
(embeddings,) = load_file(package / "weights/l2_supercat_256.safetensors").values()
tokenizer = Tokenizer.from_file(str(package / "tokenizers/l2_supercat_tokenizer_config.json"))
words = StaticEmbedding(tokenizer, embedding_weights=embeddings.astype("float32"))
SentenceTransformer(modules=[words], device="cpu").save(sys.argv[1])
print(f"{len(embeddings):,} tokens of {embeddings.shape[1]} numbers, in {sys.argv[1]}")
