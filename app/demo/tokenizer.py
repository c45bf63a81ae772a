"""A byte-level BPE tokenizer trained on the corpus, saved as a Hugging Face fast tokenizer."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(texts: Sequence[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer: any text round-trips, and every digit is a token of its own.

    It adds no special tokens by itself: who builds a model's input adds them, once, as the saved settings say.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the tokenizer is known to have.

    Raises:
        KeyError: it has no such token.
    """
    identifier: int | None = tokenizer.token_to_id(token)
    if identifier is None:
        raise KeyError(token)
    return identifier


def save_tokenizer(tokenizer: Tokenizer, out: Path, max_length: int) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json` for `AutoTokenizer.from_pretrained`."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        add_bos_token=True,
        add_eos_token=True,
    ).save_pretrained(out)
