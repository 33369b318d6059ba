"""Public Malay benchmarks by their own rules: MalayMMLU and Belebele, from a local file or from the hub.

    from helpers.evaluation import public
    rows = public.malaymmlu("MalayMMLU_0shot.json")        # a file you have
    rows = public.malaymmlu()                              # the hub, where it can be reached
    public.score_malaymmlu(model, tokenizer, rows)         # first-token accuracy, with the traps beside it

MalayMMLU (Poh and others, EMNLP 2024; BSD-3): 24,213 school questions with two to five options. Its protocol, *first-token
accuracy*: one forward pass, the logits of the bare letters A to E behind the prompt, the largest wins. Guessing gives 38.02.
"""

import json
from pathlib import Path

from helpers.evaluation.intervals import wilson
from helpers.evaluation.likelihood import score_items

LETTERS = "ABCDE"
FLOOR = 0.3802  # published: guessing among two to five options
INSTRUCTION = "Berikut adalah soalan aneka pilihan tentang {subject}. Sila berikan jawapan sahaja.\n\n"


def _read(path):
    text = Path(path).read_text(encoding="utf-8-sig")
    try:
        return json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ValueError(f"{Path(path).name} is neither JSON nor JSONL (line {error.lineno}): download it again") from None


def malaymmlu(path=None, n=None):
    """The zero-shot questions of MalayMMLU, as `{"prompt", "options", "key", "subject", "category", …}`."""
    if path:
        rows = _read(path)
    else:
        from helpers.corpus import hub

        rows = list(hub.stream("malaymmlu", n=n))
    missing = {"prompt", "options", "key", "subject"} - set(rows[0] if rows else {})
    if missing:
        raise ValueError(f"these are not MalayMMLU's zero-shot questions ({', '.join(sorted(missing))} missing): take MalayMMLU_0shot.json")
    return rows[:n] if n else rows


def malaymmlu_prompt(tokenizer, row, style="chat"):
    """The prompt as MalayMMLU's own program builds it.

    style:
        "plain": the question and “Jawapan:”, no template; what is used for base models.
        "chat": the instruction, the question and “Jawapan:” in the user's turn; what is used for most chat models.
        "llama": “Jawapan:” stands *behind* the start of the assistant's turn. The official program does so when the model's
            **name** contains “llama”: a trap, as renaming a folder changes the score.
    """
    question = row["prompt"]
    if style == "plain":
        return f"{question}\nJawapan:"
    inside = "" if style == "llama" else "\nJawapan:"
    message = {"role": "user", "content": INSTRUCTION.format(subject=row["subject"]) + question + inside}
    text = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
    return text + "\nJawapan:" if style == "llama" else text


def first_token(model, tokenizer, prompts, sizes, letters=LETTERS, double_bos=False):
    """The letter with the largest logit behind each prompt: `[(index, probability among the letters)]`.

    Args:
        prompts: texts; sizes: how many options each has.
        letters: what stands for the options; the bare letters in the official program, `" A"` with a space is another token.
        double_bos: tokenise with special tokens although the template wrote them, as the official program does. It matters
            for tokenizers that add a beginning-of-text token.
    """
    import torch
    from tqdm.auto import tqdm

    ids = [tokenizer(letter, add_special_tokens=False)["input_ids"][-1] for letter in letters]
    found = []
    with torch.inference_mode():
        for prompt, size in zip(tqdm(prompts, desc="questions"), sizes):
            tokens = tokenizer(prompt, add_special_tokens=double_bos, return_tensors="pt")["input_ids"].to(model.device)
            logits = model(input_ids=tokens, logits_to_keep=1).logits[0, -1, ids[:size]].float()
            shares = logits.softmax(0)
            found.append((int(shares.argmax()), float(shares.max())))
    return found


def score_malaymmlu(model, tokenizer, rows, style="chat", letters=LETTERS, double_bos=False):
    """First-token accuracy on MalayMMLU: `{"malaymmlu": Share, "malaymmlu:<category>": Share}`.

    The floor of each row is that of dice on the very questions that were asked; on all 24,213 it is 38.02%.
    """
    prompts = [malaymmlu_prompt(tokenizer, row, style) for row in rows]
    chosen = first_token(model, tokenizer, prompts, [len(row["options"]) for row in rows], letters, double_bos)
    groups = {"malaymmlu": []}
    for row, (index, _) in zip(rows, chosen):
        mark = (LETTERS[index] == row["key"], len(row["options"]))
        groups["malaymmlu"].append(mark)
        if row.get("category"):
            groups.setdefault(f"malaymmlu:{row['category']}", []).append(mark)
    return {
        name: wilson(sum(right for right, _ in marks), len(marks), floor=sum(1 / size for _, size in marks) / len(marks))
        for name, marks in groups.items()
    }


def belebele(path=None, n=None):
    """Belebele in Malay (Bandarkar and others 2024, CC BY-SA 4.0) as multiple-choice items for `score_items`; four options, floor 25%."""
    if path:
        rows = _read(path)
    else:
        from helpers.corpus import hub

        rows = list(hub.stream("belebele", n=n))
    needed = {"flores_passage", "question", "mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4", "correct_answer_num"}
    if rows and needed - set(rows[0]):
        raise ValueError(f"these are not Belebele's questions ({', '.join(sorted(needed - set(rows[0])))} missing): take its zsm_Latn file")
    items = [
        {
            "id": f"belebele-{i:04d}",
            "kind": "choice",
            "question": f"{row['flores_passage']}\nSoalan: {row['question']}",
            "options": [row[f"mc_answer{k}"] for k in (1, 2, 3, 4)],
            "answer": int(row["correct_answer_num"]) - 1,
        }
        for i, row in enumerate(rows)
    ]
    return items[:n] if n else items


def score_belebele(model, tokenizer, items, **options):
    """Belebele by likelihood of the answers: `{"belebele": Share}`."""
    return score_items(model, tokenizer, items, name="belebele", **options)
