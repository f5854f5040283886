"""byol: the programs coordinator and worker, a client of runs, and the encoders that runs leave.

The programs are beside the interpreter once the package is installed. `Client` asks a run how it is; `load_encoder`
makes a network of PyTorch from an exported file, and wants the packages of `pip install byol[torch]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from byol.client import Client, Refused, RunFailed, TimedOut, Unreachable

if TYPE_CHECKING:
    from byol.encoder import load_encoder

__all__ = ["Client", "Refused", "RunFailed", "TimedOut", "Unreachable", "load_encoder"]


def __getattr__(name: str):
    if name == "load_encoder":  # it imports torch, which a client has no use for
        from byol.encoder import load_encoder

        return load_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
