"""The frozen lower layers, run once: their outputs lie in a file, and every later pass reads them from there.

    states = LowerStates(engine, documents, folder / "lower.npy", tokens=512)
    states(range(3, 5))                 # [tokens of documents 3 and 4, width], mapped from the file

With LoRA on the top k layers only, what the layers below compute for a document never changes. One pass over the documents
is enough, and a step of training is then as cheap as on a model of k layers. The file has 4 · width bytes a token.
"""

import json
import os
from pathlib import Path

import numpy as np


class LowerStates:
    """Outputs of the frozen layers for a list of documents, float32 [all tokens, width], memory-mapped.

    An unfinished file is made again; a finished one is used as it is, so a resumed run loses nothing.
    """

    def __init__(self, engine, documents, path, tokens=512, progress=True):
        from tqdm.auto import tqdm

        from helpers.training.documents import fingerprint, micro_batches

        path = Path(path)
        self.starts = np.concatenate([[0], np.cumsum([len(document) for document in documents])])
        width = engine.model.config.hidden_size
        about = {"first": engine.first, "documents": fingerprint(documents), "width": width}
        note = path.with_suffix(".json")
        if not (path.exists() and note.exists() and json.loads(note.read_text()) == about):
            part = path.with_suffix(".part")
            made = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(int(self.starts[-1]), width))
            at = 0
            with tqdm(total=len(made), desc="frozen layers", unit="token", disable=not progress) as bar:
                for group in micro_batches(documents, tokens):
                    states = engine.lower(engine.batch(group))
                    made[at : at + len(states)] = states.numpy()
                    at += len(states)
                    bar.update(len(states))
            made.flush()
            del made
            os.replace(part, path)
            note.write_text(json.dumps(about))
        self.states = np.load(path, mmap_mode="r")

    def __call__(self, numbers):
        """A float32 tensor [tokens, width] for these documents, one after the other."""
        import torch

        return torch.from_numpy(np.concatenate([self.states[self.starts[n] : self.starts[n + 1]] for n in numbers]))
