"""A tiny GPT-2 as Hugging Face saves it, with its logits and a byte-level BPE tokenizer.

Run ``python make.py`` (requirements.txt beside it) to write, into this folder,

* ``config.json``, ``generation_config.json``, ``model.safetensors`` (float32,
  output head tied to the token embedding and hence absent): exactly what
  ``GPT2LMHeadModel.save_pretrained`` writes;
* ``logits.safetensors``: ``input_ids`` [3, 10] (int64), ``logits`` [3, 10, 50]
  in float32 and ``logits_float64``, the same weights evaluated in float64;
* ``tokenizer.json``: a byte-level BPE of 50 tokens, so that its ids fit the
  model; it covers only the bytes of its training text;
* ``encodings.json``: the version of the libraries, ``encodings`` (``text``,
  ``ids``, ``tokens``, ``decoded``) and ``uncovered``: texts with bytes outside the
  vocabulary, which the tokenizer leaves out without a word.
"""

import json
from pathlib import Path

import tokenizers
import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
SEED = 7
VOCABULARY = 50
END_OF_TEXT = "<|endoftext|>"

TRAINING_TEXT = [
    "Anna is the mother of Bob. Bob is the brother of Carl.",
    "Carl is the son of Anna. Anna has a son and a brother.",
    "The café is kind and the bear is blue.",
    "Is the bear kind?\nThe bear is not blue.",
]
TEXTS = [
    "",
    "Anna is the mother of Bob.",
    " Anna is the mother of Bob.",
    "Is the bear the brother of Carl?",
    "the  bear   is\nblue",
    "café",
    "aaaa bbbb",
    f"Bob is kind.{END_OF_TEXT}Is Bob kind?",
]
UNCOVERED = ["Zoë is the mother of Bob.", "12 bears", "熊"]


def make_model():
    """A random model in which no weight keeps its neutral initial value (zero bias, unit scale)."""
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=16,
        n_embd=16,
        n_layer=2,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre = 1.0 if ".ln_" in name and name.endswith("weight") else 0.0
            parameter.copy_(centre + 0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def make_logits(model):
    generator = torch.Generator().manual_seed(SEED + 1)
    input_ids = torch.randint(VOCABULARY, (3, 10), generator=generator)
    with torch.no_grad():
        logits = model(input_ids).logits
        logits_float64 = model.double()(input_ids).logits
    print(f"float32 against float64 logits: {(logits - logits_float64).abs().max().item():.1e}")
    return {"input_ids": input_ids, "logits": logits, "logits_float64": logits_float64}


def make_tokenizer():
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END_OF_TEXT], show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    return tokenizer


def encode(tokenizer, text):
    encoding = tokenizer.encode(text)
    return {
        "text": text,
        "ids": encoding.ids,
        "tokens": encoding.tokens,
        "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
    }


def make_encodings(tokenizer):
    encodings = [encode(tokenizer, text) for text in TEXTS]
    for encoding in encodings:
        if encoding["decoded"] != encoding["text"]:
            raise SystemExit(f"{encoding['text']!r} does not survive a round trip")
    return {
        "tokenizers": tokenizers.__version__,
        "transformers": transformers.__version__,
        "encodings": encodings,
        "uncovered": [encode(tokenizer, text) for text in UNCOVERED],
    }


def main():
    model = make_model()
    model.save_pretrained(FOLDER)
    save_file(make_logits(model), FOLDER / "logits.safetensors")
    tokenizer = make_tokenizer()
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    encodings = json.dumps(make_encodings(tokenizer), indent=1, ensure_ascii=False)
    (FOLDER / "encodings.json").write_text(encodings + "\n", encoding="utf-8")
    print(f"{tokenizer.get_vocab_size()} tokens; {model.num_parameters()} weights")


if __name__ == "__main__":
    main()
