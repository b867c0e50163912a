"""Which encoder a training asks: that of this process, or first a folder of encodings."""

from __future__ import annotations

from pathlib import Path

import torch

from trainer.config import FitConfig
from trainer.data.encoders import Encoders
from trainer.data.folder import Data
from trainer.data.frozen import Frozen
from trainer.data.producers.digest import EncoderDigests
from trainer.data.producers.store import Store
from trainer.data.producers.stored import Contents, StoredEncoder


class EncodingWork:
    """The frozen encoders of one process, and the folder of encodings where ``config.encoded`` names one.

    ``digests``: of the encoders, needed with a folder.
    """

    def __init__(
        self, config: FitConfig, frozen: Frozen, dtype: torch.dtype, digests: EncoderDigests | None = None
    ) -> None:
        self.config, self.frozen, self.dtype, self.digests = config, frozen, dtype, digests
        self._store = Store(Path(config.encoded)) if config.encoded else None

    def encoder(self, dataset: Data) -> Encoders | StoredEncoder:
        """For the rows of ``dataset``."""
        encoders = Encoders(self.frozen, self.config.loading.cache_megabytes * 10**6, self.dtype)
        if self._store is None or self.digests is None:
            return encoders
        return StoredEncoder(self._store, Contents(dataset), self.digests, encoders)
