"""The usual names of fields, in the order in which they are looked for."""

PASSAGE_IDS = ("id", "passage_id", "external_id", "example_id", "_id", "docid", "doc_id")
PROMPT_IDS = ("id", "prompt_id", "fact_id", "example_id", "external_id", "_id", "question_id", "qid")
TEXTS = ("text", "contents", "content", "passage", "document")
PROMPTS = ("prompt", "inputs_plaintext", "question", "input")
TARGETS = ("target", "targets_plaintext", "answer", "completion", "output")
